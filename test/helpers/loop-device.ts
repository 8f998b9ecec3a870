import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Netns } from './netns.js';

/** What makes a loop device, says which, and keeps it as long as its input lasts: it goes with the last one that has it open. */
const hold = `
set -e
loop=$(losetup -f --show "$1")
exec 9<"$loop"
# Somebody may have had it read-only, which stays with it (Linux block/ioctl.c, blkdev_roset).
blockdev --setrw "$loop"
losetup -d "$loop"
echo "loop $loop"
read -r _ || :
`;

/** An image file of 16 MB, gone when the test is over. `mkfs`: what makes its file system, before the file's name. */
export function imageFile(t: ExecutionContext, ...mkfs: readonly [string, ...string[]]): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-image-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const file = path.join(directory, 'image');
  const script = 'set -e; file=$1; shift; truncate -s 16M "$file"; "$@" "$file"';
  const made = spawnSync('sh', ['-c', script, 'sh', file, ...mkfs], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
  });
  if (made.status !== 0) throw new Error(`${mkfs.join(' ')}: ${made.stderr}`);
  return file;
}

/** A loop device of that file, gone with the namespace: /dev/loop3. */
export async function loopDevice(netns: Netns, image: string): Promise<string> {
  const holder = netns.start('sh', ['-c', hold, 'sh', image]);
  const [, loop = ''] = await holder.saw(/loop (\/dev\/loop\d+)\n/);
  return loop;
}
