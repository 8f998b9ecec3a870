import { lstatSync, readdirSync } from 'node:fs';
import { errnoOf } from '../../errors.js';
import type { Host } from '../host.js';

/** statd(8)'s state directories: RHEL's, then Debian's and the upstream default. */
const monitorDirectories = ['/var/lib/nfs/statd/sm', '/var/lib/nfs/sm'];

export interface Monitored {
  /** Names of the hosts it monitors: mon_name, one file each (nfs-utils support/nsm/file.c); one character a byte (latin1). */
  readonly hosts: readonly string[];
  /** Whom statd, and so its callout, runs as: the owner of the directory (nsm_drop_privileges). */
  readonly uid: number;
  readonly gid: number;
}

/** What this host's rpc.statd monitors and runs as; undefined where statd was never installed. */
export function monitored(host: Host): Monitored | undefined {
  for (const directory of monitorDirectories) {
    try {
      const path = host.path(directory);
      const { uid, gid } = lstatSync(path);
      return { hosts: readdirSync(path, 'latin1').filter((name) => !name.startsWith('.')), uid, gid };
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  return undefined;
}
