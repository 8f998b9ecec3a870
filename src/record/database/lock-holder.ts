import { readFileSync, statSync } from 'node:fs';
import { parseLocks } from '../../host/reading/locks.js';
import { deviceNumberOf } from '../../host/reading/mounts.js';
import { readTextIfThere } from '../../host/real.js';

/**
 * The process of this host that holds a lock on a file, as `name, pid N`; undefined where it is on another host, has let go
 * meanwhile, or cannot be told. SQLite's locks are fcntl(2)'s, which the kernel lists (proc_locks(5)).
 */
export function lockHolder(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file);
    const device = deviceNumberOf(dev);
    const lock = parseLocks(readTextIfThere('/proc/locks') ?? '').find(
      ({ inode, deviceNumber, pid }) => inode === ino && deviceNumber === device && pid !== process.pid,
    );
    if (lock === undefined) return undefined;
    return `${readFileSync(`/proc/${lock.pid}/comm`, 'utf8').trim()}, pid ${lock.pid}`;
  } catch {
    return undefined;
  }
}
