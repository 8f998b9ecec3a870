import type { Host } from '../host.js';

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
