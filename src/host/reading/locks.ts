import { readdirSync, statSync } from 'node:fs';
import type { Host } from '../host.js';
import { deviceNumberOf } from '../devices/devices.js';

export interface KernelLock {
  readonly kind: string;
  readonly mode: 'READ' | 'WRITE';
  readonly pid: number;
  /** MAJOR:MINOR in decimal, comparable with Mount.deviceNumber. */
  readonly deviceNumber: string;
  readonly inode: number;
  /** First byte, and last byte or EOF. */
  readonly start: string;
  readonly end: string;
}

/**
 * Parses /proc/locks (proc(5); fs/locks.c lock_get_status). The device is hexadecimal there.
 * Waiting requests (`->`) are left out: they hold nothing. UNLCK is a lease that is to go, and is held still.
 */
export function parseLocks(text: string): KernelLock[] {
  const line = /^\d+: (\S+) +\S+ +(READ|WRITE|UNLCK) +(-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) (\d+) (\d+|EOF)$/;
  return text.split('\n').flatMap((row) => {
    const match = line.exec(row.trimEnd());
    if (match === null) return [];
    const [, kind = '', mode, pid, major = '0', minor = '0', inode, start = '0', end = 'EOF'] = match;
    return [
      {
        kind,
        mode: mode === 'READ' ? 'READ' : 'WRITE',
        pid: Number(pid),
        deviceNumber: `${Number.parseInt(major, 16)}:${Number.parseInt(minor, 16)}`,
        inode: Number(inode),
        start,
        end,
      },
    ];
  });
}

/** A POSIX lock that is held, on a file. */
const posixRow = /^\d+: POSIX (?!.* <none>:0 )/;

/**
 * The locks that the kernel's NLM server holds on a device: those whose pid is a thread named
 * lockd (fs/lockd/svc.c names it so), or a process that is no more, as after lockd's end.
 * Undefined where /proc/locks is not there or has a lock in a form that is not known.
 */
export function lockdLocks(host: Host, deviceNumber: string): KernelLock[] | undefined {
  const text = host.readText('/proc/locks');
  if (text === undefined) return undefined;
  const locks = parseLocks(text);
  if (text.split('\n').filter((row) => posixRow.test(row)).length !== locks.filter(isPosix).length)
    return undefined;
  // There may be a hundred thousand locks, and of one thread.
  const judged = new Map<number, boolean>();
  return locks.filter((lock) => {
    if (lock.deviceNumber !== deviceNumber || !isPosix(lock)) return false;
    const known = judged.get(lock.pid);
    if (known !== undefined) return known;
    const name = host.readText(`/proc/${lock.pid}/comm`);
    const isLockd = name === undefined || name.trim() === 'lockd';
    judged.set(lock.pid, isLockd);
    return isLockd;
  });
}

function isPosix({ kind }: KernelLock): boolean {
  return kind === 'POSIX';
}

/**
 * Whether the thread of lockd is among the processes that are seen here. In a container with processes of its own it is not, and
 * /proc/locks shows none of its locks there (fs/locks.c, locks_show).
 */
export function seesLockd(host: Host): boolean {
  return readdirSync(host.path('/proc')).some(
    (name) => /^\d+$/.test(name) && host.readText(`/proc/${name}/comm`)?.trim() === 'lockd',
  );
}

/**
 * The process of this host that holds a lock on a file, as `name, pid N`; undefined where it is on another host, has let go
 * meanwhile, or cannot be found. SQLite's locks are fcntl(2)'s, which the kernel lists (proc_locks(5)).
 */
export function lockHolder(host: Host, file: string): string | undefined {
  try {
    const { dev, ino } = statSync(host.path(file));
    const device = deviceNumberOf(dev);
    const lock = parseLocks(host.readText('/proc/locks') ?? '').find(
      ({ inode, deviceNumber, pid }) => inode === ino && deviceNumber === device && pid !== process.pid,
    );
    const name = lock === undefined ? undefined : host.readText(`/proc/${lock.pid}/comm`);
    return lock === undefined || name === undefined ? undefined : `${name.trim()}, pid ${lock.pid}`;
  } catch {
    return undefined;
  }
}
