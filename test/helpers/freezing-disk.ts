import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Owner, Program } from './netns.js';

/** What holds the disk: when its input ends, for whatever reason, the test's own death included, it thaws and is unmounted. */
const hold = `
set -e
truncate -s 16M "$1"
mkfs.ext4 -q "$1"
mount -o loop "$1" "$2"
echo ready
while read -r word; do
  if [ "$word" = freeze ]; then fsfreeze -f "$2"; else fsfreeze -u "$2"; fi
  echo "done: $word"
done
fsfreeze -u "$2" 2>/dev/null || :
umount "$2"
`;

/**
 * A disk that stops answering: whoever writes to it waits in the kernel, state D, which SIGKILL does not end (fsfreeze(8),
 * fs/super.c sb_start_write). An ext4 file system of its own, in a mount namespace of its own.
 */
export class FreezingDisk {
  /** A process that sees it. */
  readonly pid: number;
  readonly #program: Program;

  constructor(pid: number, program: Program) {
    this.pid = pid;
    this.#program = program;
  }

  /** What is put before a command that is to see it. */
  get prefix(): readonly [string, ...string[]] {
    return ['nsenter', `--target=${this.pid}`, '--mount', '--'];
  }

  async freeze(): Promise<void> {
    this.#program.write('freeze');
    await this.#program.saw(/done: freeze\n/);
  }

  async thaw(): Promise<void> {
    this.#program.write('thaw');
    await this.#program.saw(/done: thaw\n/);
  }

  async close(): Promise<void> {
    this.#program.end();
    await this.#program.exited;
  }
}

/** Why there can be none here, for test.skip; undefined where there can. */
export function freezingDiskUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, for its loop device';
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-loop-'));
  const tried = spawnSync('unshare', ['--mount', 'sh', '-c', hold, 'sh', `${directory}/image`, directory], {
    input: '',
  });
  rmSync(directory, { recursive: true, force: true });
  return tried.status === 0 ? undefined : `needs a loop device: ${String(tried.stderr).trim()}`;
}

/** Mounted on `mountpoint` for one test. */
export async function withFreezingDisk(t: Owner, image: string, mountpoint: string): Promise<FreezingDisk> {
  const child = spawn('unshare', ['--mount', 'sh', '-c', hold, 'sh', image, mountpoint], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const program = new Program('the holder of the disk', child);
  await program.saw(/ready\n/);
  const disk = new FreezingDisk(child.pid ?? 0, program);
  t.teardown(() => disk.close());
  return disk;
}
