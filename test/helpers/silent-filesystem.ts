import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Owner, Program } from './netns.js';

/** FUSE (fuse(4)) without a daemon: nobody reads what the kernel asks. Gone with this script, and its mount namespace. */
const hold = `
set -e
exec 3<>/dev/fuse
mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 silent "$1"
echo ready
exec cat
`;

/** Why there can be none here, for test.skip; undefined where there can. */
export function silentFilesystemUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, to mount';
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-fuse-'));
  const tried = spawnSync('unshare', ['--mount', 'sh', '-c', hold, 'sh', directory], { input: '' });
  rmSync(directory, { recursive: true, force: true });
  return tried.status === 0 ? undefined : `needs FUSE: ${String(tried.stderr).trim()}`;
}

/**
 * A file system that does not answer, as that of a dead NFS server: whoever looks at it waits, for ever, and can only be killed.
 * For one test, on `mountpoint`, in a mount namespace of its own. Returns what is put before a command that is to see it.
 */
export async function withSilentFilesystem(
  t: Owner,
  mountpoint: string,
): Promise<readonly [string, ...string[]]> {
  const child = spawn('unshare', ['--mount', 'sh', '-c', hold, 'sh', mountpoint], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const program = new Program('the holder of the file system', child);
  await program.saw(/ready\n/);
  t.teardown(async () => {
    program.end();
    await program.exited;
  });
  return ['nsenter', `--target=${child.pid ?? 0}`, '--mount', '--'];
}
