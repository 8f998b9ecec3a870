import { counted } from '../../counted.js';
import { type HostContext, notSo } from '../../host/action.js';
import type { Host } from '../../host/host.js';
import { type KernelLock, parseLocks } from '../../host/reading/locks.js';
import { isMountOf, mountAt } from '../../host/reading/mounts.js';
import { settleText } from '../../host/running/wait.js';
import type { LockedFilesystem } from '../port.js';
import { ganeshaProcess } from './process.js';

/** A lock that is held on a file, of a kind that Ganesha may have. */
const row = /^\d+: (?:OFDLCK|POSIX) (?!.* <none>:0 )/;

/**
 * What NFS-Ganesha holds on a file system through its VFS back end, read in /proc/locks by the device of its mount: open file description
 * locks, whose pid is -1 whoever has them (fs/locks.c, locks_translate_pid), and on kernels without those POSIX locks of its process.
 * Nothing where it is not mounted; undefined where /proc/locks cannot be read, or has a lock in a form that is not known. Throws where something
 * else is mounted there.
 */
export function ganeshaLocks(
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
  return locksOn(host, mount.deviceNumber);
}

/** Those on a device, MAJOR:MINOR in decimal. */
export function locksOn(host: Host, deviceNumber: string): KernelLock[] | undefined {
  const text = host.readText('/proc/locks');
  if (text === undefined) return undefined;
  const locks = parseLocks(text).filter(({ kind }) => kind === 'OFDLCK' || kind === 'POSIX');
  if (text.split('\n').filter((line) => row.test(line)).length !== locks.length) return undefined;
  const own = ganeshaProcess(host)?.pid;
  return locks.filter(
    (lock) => lock.deviceNumber === deviceNumber && (lock.kind === 'OFDLCK' || String(lock.pid) === own),
  );
}

/** The proof of A-3, where the locks can be seen: older releases answer before they are gone (nfs-ganesha issue 1270). */
export function refuseLocksLeft(context: HostContext, filesystem: LockedFilesystem): void {
  const left = ganeshaLocks(context, filesystem);
  if (left === undefined) {
    throw notSo(
      'A-3',
      `Whether locks of fsid ${filesystem.fsid} are left cannot be seen: /proc/locks cannot be read`,
    );
  }
  if (left.length === 0) return;
  const inodes = [...new Set(left.map((lock) => lock.inode))].slice(0, 5).join(', ');
  throw notSo(
    'A-3',
    `${counted(left.length, 'lock')} of fsid ${filesystem.fsid} still in /proc/locks (inode ${inodes}) ${settleText()} after RemoveExport`,
    `See that NFS-Ganesha does not export ${filesystem.mountpoint} any more (ShowExports), and that no other program has a lock there. Then run the same command again.`,
  );
}
