import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../errors.js';
import type { Host } from './host.js';
import { waitUntil } from './running/wait.js';

/** Where a brick writes what it holds when SIGUSR1 asks for it (server.statedump-path). */
const dumpDirectory = '/run/gluster';

const dumpSeconds = 5;

/** Whose locks the bricks of a volume on this node hold, by the names of the hosts; `silent`: one of them does not say. */
export async function brickLockHosts(host: Host, volume: string): Promise<ReadonlySet<string> | 'silent'> {
  const hosts = new Set<string>();
  for (const pid of bricksOf(host, volume)) {
    const dump = await dumpOf(host, pid);
    const found = dump === undefined ? undefined : lockHosts(dump);
    if (found === undefined) return 'silent';
    for (const one of found) hosts.add(one);
  }
  return hosts;
}

/**
 * Of the text of a brick's dump: the hosts whose locks it holds, granted or waiting. The connection of each stands beside it, as
 * CTX_ID:...-PID:...-HOST:NAME-PC_NAME:... (GlusterFS xlators/features/locks/src/posix.c, pl_dump_lock; client.c, client_setvolume), behind
 * what names the lock: a base name may hold anything. Undefined: it holds a lock, and does not say so whose.
 */
export function lockHosts(dump: string): string[] | undefined {
  const hosts: string[] = [];
  for (const line of dump.split('\n')) {
    if (!/^(?:posix|inode|entry)lk\.\w+\[\d+\]\(\w+\)=/.test(line)) continue;
    const [, name] = /.*, connection-id=.*?-HOST:(.+?)-PC_NAME:/.exec(line) ?? [];
    if (name === undefined) return undefined;
    hosts.push(name);
  }
  return hosts;
}

/** Whether the text of a dump is all of it: its last line says when it ended (libglusterfs/src/statedump.c, gf_proc_dump_info). */
export function isWholeDump(text: string): boolean {
  return /^DUMP-END-TIME: .*$/.test(text.trimEnd().split('\n').at(-1) ?? '');
}

/** The brick processes of a volume here, by their command lines: `glusterfsd -s HOST --volfile-id VOLUME.HOST.BRICK ...`. Root's alone. */
function bricksOf(host: Host, volume: string): number[] {
  return readdirSync(host.path('/proc'))
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      const words = (host.readText(`/proc/${pid}/cmdline`) ?? '').split('\0');
      const [program = ''] = words;
      const id = words[words.indexOf('--volfile-id') + 1];
      return (
        path.basename(program) === 'glusterfsd' &&
        words.includes('--volfile-id') &&
        id?.startsWith(`${volume}.`) === true &&
        /^Uid:\s+\d+\s+0\s/m.test(host.readText(`/proc/${pid}/status`) ?? '')
      );
    })
    .map(Number);
}

/** What a brick holds now; undefined where it does not say in time. Throws FailoverError STEP_TIMEOUT. */
async function dumpOf(host: Host, pid: number): Promise<string | undefined> {
  const before = new Set(dumpsOf(host, pid));
  try {
    process.kill(pid, 'SIGUSR1');
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return ''; // it ends just now, and its locks with it
    throw error;
  }
  let text = '';
  let file = '';
  const isWhole = await waitUntil(
    host,
    'a brick of GlusterFS to write what it holds',
    () => {
      file = dumpsOf(host, pid).find((one) => !before.has(one)) ?? '';
      text = file === '' ? '' : (host.readText(file) ?? '');
      return isWholeDump(text);
    },
    { seconds: dumpSeconds, intervalMs: 50 },
  );
  if (file !== '') rmSync(host.path(file), { force: true });
  return isWhole ? text : undefined;
}

/** BRICK-PATH.PID.dump.TIME */
function dumpsOf(host: Host, pid: number): string[] {
  const directory = host.path(dumpDirectory);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => name.includes(`.${pid}.dump.`))
    .map((name) => path.join(dumpDirectory, name));
}
