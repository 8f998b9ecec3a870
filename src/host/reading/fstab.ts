import { nearestAbove } from '../../paths.js';
import type { Host } from '../host.js';
import { mountAt, unescapeOctal } from './mounts.js';

export const fstab = '/etc/fstab';

/** A line of fstab(5) that names a mount point. */
export interface FstabEntry {
  /** A path, or UUID=... and the like. */
  readonly source: string;
  readonly mountpoint: string;
  readonly options: readonly string[];
}

/** Its lines, in order; swap and the like have no mount point. */
export function fstabEntries(text: string): FstabEntry[] {
  return text.split('\n').flatMap((line) => {
    const [source, mountpoint, , options = ''] = line.trim().split(/[ \t]+/);
    if (source === undefined || source.startsWith('#') || mountpoint?.startsWith('/') !== true) return [];
    const path = unescapeOctal(mountpoint);
    return [
      {
        source: unescapeOctal(source),
        mountpoint: path === '/' ? path : path.replace(/\/+$/, ''),
        options: options.split(','),
      },
    ];
  });
}

/** The mount points that fstab(5) lists, in its order. */
export function parseFstab(text: string): string[] {
  return fstabEntries(text).map(({ mountpoint }) => mountpoint);
}

/**
 * The mount point at or above `directory`, the nearest, that /etc/fstab lists and that is not mounted now; undefined where
 * there is none. What a cluster manager mounts is seldom in fstab: there a directory below the mount point is what tells.
 */
export function unmountedAbove(host: Host, directory: string): string | undefined {
  // "/" is always mounted, also where it is in no table of this process, as in a chroot.
  const listed = parseFstab(host.readText('/etc/fstab') ?? '').filter((mountpoint) => mountpoint !== '/');
  const nearest = nearestAbove(directory, listed);
  return nearest === undefined || mountAt(host, nearest) !== undefined ? undefined : nearest;
}
