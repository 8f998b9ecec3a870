import { realpathSync } from 'node:fs';
import { isAtOrBelow } from '../../paths.js';
import type { Host } from '../host.js';
import { type Mount, mountOver, mounts } from './mounts.js';

/**
 * Where a path leads that does not lie on the file system of this mount, as a clause; undefined: it does. A link in it may lead
 * elsewhere, and another file system may be mounted at or above it. By the mount that the path is on, not by st_dev: that of a btrfs
 * subvolume is none of the mount's. Throws ENOENT where there is no such path.
 */
export function leadsElsewhere(host: Host, path: string, mount: Mount): string | undefined {
  const top = realpathSync(host.path(mount.mountpoint));
  const real = realpathSync(host.path(path));
  // As the mount table has it, in a rehearsal too.
  const seen = isAtOrBelow(real, top) ? mount.mountpoint + real.slice(top.length) : real;
  const over = mountOver(mounts(host), seen);
  if (over === undefined) return `it leads to ${real}`;
  // A bind mount of the same file system is the same file system.
  if (over.deviceNumber === mount.deviceNumber && over.source === mount.source) return undefined;
  return over.mountpoint === mount.mountpoint || isAtOrBelow(over.mountpoint, mount.mountpoint)
    ? `${over.source} is mounted on ${over.mountpoint}`
    : `it leads to ${seen}, on ${over.source}`;
}
