import { counted } from '../../counted.js';
import { type HostContext, notSo } from '../../host/action.js';
import { type KernelLock, lockdLocks } from '../../host/reading/locks.js';
import { isMountOf, mountAt } from '../../host/reading/mounts.js';
import type { LockedFilesystem } from '../port.js';

/**
 * What the kernel's NLM server holds on a file system, read in /proc/locks by the device of its
 * mount. Nothing where it is not mounted, undefined where /proc/locks cannot be read. Throws where something else is mounted there.
 */
export function locksOf(
  { host }: HostContext,
  { device, mountpoint }: LockedFilesystem,
): KernelLock[] | undefined {
  const mount = mountAt(host, mountpoint);
  if (mount === undefined) return [];
  if (!isMountOf(host, mount, device)) {
    throw notSo(
      'A-3',
      `${mountpoint} has ${mount.source} mounted, and the configuration says ${device}: no lock was touched`,
      'Unmount what is there, or correct "device" in the configuration.',
    );
  }
  return lockdLocks(host, mount.deviceNumber);
}

/**
 * The proof of A-3. A kernel's word is not one: on Linux 6.1 unlock_ip answers success and drops
 * nothing, because fs/lockd/svcsubs.c hands the two arguments of its match function over swapped.
 */
export function verifyLocksGone(context: HostContext, filesystem: LockedFilesystem): void {
  const left = locksOf(context, filesystem);
  if (left === undefined) {
    throw notSo(
      'A-3',
      `Whether NLM locks of fsid ${filesystem.fsid} are left cannot be seen: /proc/locks cannot be read`,
    );
  }
  if (left.length === 0) return;
  const inodes = [...new Set(left.map((lock) => lock.inode))].slice(0, 5).join(', ');
  throw notSo(
    'A-3',
    `${counted(left.length, 'NLM lock')} of fsid ${filesystem.fsid} still in /proc/locks (inode ${inodes}), though the kernel reported success`,
    `See that the address is down and ${filesystem.mountpoint} is not exported (A-1, A-2). Then run the same command again.`,
  );
}
