import type { Host } from '../host.js';
import { deviceAt } from '../devices/devices.js';

/**
 * Asks a disk, or a server, whether it answers at all: reads the beginning of a file or device past every cache, in a
 * process of its own, that can be left behind where a read of this process would take it along into state D. Any
 * answer is one, an error too: whoever reads next meets it.
 *
 * `isOurs` false: the file lies where somebody may have put another one, which is neither followed (opening /dev/watchdog starts
 * it) nor waited for (a FIFO).
 *
 * Throws FailoverError COMMAND_TIMEOUT, or STEP_TIMEOUT, with the deadline it is run under.
 */
export async function expectAnswer(host: Host, file: string, isOurs = true): Promise<void> {
  // dd(1): iflag=direct is open(2)'s O_DIRECT; where a file system has none the error is the answer.
  const flags = isOurs ? 'direct' : 'direct,nofollow,nonblock';
  await host.run(['dd', `if=${host.path(file)}`, 'of=/dev/null', 'bs=4096', 'count=1', `iflag=${flags}`]);
}

const headBytes = 4096;

/**
 * The first 4096 bytes of a device or file as they are there, past every cache; undefined where they cannot be read. The page cache
 * of a device that another node writes to shows what was there when it was first read. By a process of its own, as above.
 *
 * Throws FailoverError COMMAND_TIMEOUT, or STEP_TIMEOUT, with the deadline it is run under.
 */
export async function readHead(host: Host, file: string): Promise<Buffer | undefined> {
  const read = async (...flags: readonly string[]) => {
    const argv = ['dd', `if=${host.path(file)}`, `bs=${headBytes}`, 'count=1', ...flags] as const;
    const { stdout } = await host.run(argv, { bytes: true });
    return stdout.length === headBytes ? Buffer.from(stdout, 'latin1') : undefined;
  };
  const head = await read('iflag=direct');
  // The file system that an image file lies on may have no O_DIRECT (open(2)).
  return head === undefined && deviceAt(host, file)?.kind === 'file' ? read() : head;
}
