import { closeSync, constants, lstatSync, openSync, readdirSync } from 'node:fs';
import { errnoOf } from '../../errors.js';
import type { Host } from '../host.js';

/** statd(8)'s state directories: RHEL's, then Debian's and the upstream default. */
const monitorDirectories = ['/var/lib/nfs/statd/sm', '/var/lib/nfs/sm'];

export interface Monitored {
  /** Names of the hosts it monitors: mon_name, one file each (nfs-utils support/nsm/file.c); one character a byte (latin1). */
  readonly hosts: readonly string[];
  /** The user that statd, and so its callout, runs as: the owner of the directory (nsm_drop_privileges). */
  readonly uid: number;
  readonly gid: number;
  /** Why the names are not known, as a sentence, where they are not. */
  readonly unread?: string;
}

/** What this host's rpc.statd monitors and runs as; undefined where statd was never installed. */
export function monitored(host: Host): Monitored | undefined {
  for (const directory of monitorDirectories) {
    const path = host.path(directory);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) continue;
    const { uid, gid } = found;
    const hosts = namesIn(path, uid === 0);
    if (hosts !== undefined) return { hosts, uid, gid };
    const unread = `${directory} is a symbolic link of uid ${uid}, or no directory: whom rpc.statd monitors was not read`;
    return { hosts: [], uid, gid, unread };
  }
  return undefined;
}

/**
 * Undefined where it is no directory. A link is followed only where it is root's: where the directory above is rpc.statd's (RHEL), so
 * may one be that leads to any directory of root's, whose names would be recorded, and read by statd in its journal.
 */
function namesIn(path: string, isRoots: boolean): string[] | undefined {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  let fd: number;
  try {
    fd = openSync(path, O_RDONLY | O_DIRECTORY | (isRoots ? 0 : O_NOFOLLOW));
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR' || errnoOf(error) === 'ELOOP') return undefined;
    throw error;
  }
  try {
    return readdirSync(`/proc/self/fd/${fd}`, 'latin1').filter((name) => !name.startsWith('.'));
  } finally {
    closeSync(fd);
  }
}
