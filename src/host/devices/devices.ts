import { closeSync, constants, openSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { errnoOf } from '../../errors.js';
import type { Host } from '../host.js';
import { doing } from '../running/watchdog.js';

/** What can be mounted, as the kernel's tables know it: a block device by its number, an image file by where it lies. */
export type Device =
  | { readonly kind: 'block'; readonly path: string; readonly number: string }
  | { readonly kind: 'file'; readonly path: string; readonly inode: string };

/** The block device or image file at a path, which may be one of its many names; undefined where there is none. */
export function deviceAt(host: Host, path: string): Device | undefined {
  try {
    const real = realpathSync(host.path(path));
    const stats = statSync(real);
    if (stats.isBlockDevice()) return { kind: 'block', path: real, number: deviceNumberOf(stats.rdev) };
    if (!stats.isFile()) return undefined;
    return { kind: 'file', path: real, inode: `${deviceNumberOf(stats.dev)} ${stats.ino}` };
  } catch {
    return undefined; // not there, or not ours to look at
  }
}

/** Whether two names lead to one device. */
export function isSameDevice(one: Device | undefined, other: Device | undefined): boolean {
  if (one?.kind === 'block') return other?.kind === 'block' && one.number === other.number;
  return one?.kind === 'file' && other?.kind === 'file' && one.inode === other.inode;
}

/** Whether what is mounted from block device `number` is the file system of that device, or image file. */
export function isFromDevice(host: Host, number: string, device: Device): boolean {
  if (device.kind === 'file') return isSameDevice(loopFile(host, number), device);
  return number === device.number || isOneBtrfs(host, number, device.number);
}

/** The file, or device, that a loop device is made of (drivers/block/loop.c); undefined where it is no loop device, or a free one. */
function loopFile(host: Host, number: string): Device | undefined {
  const file = sysfs(host, number, 'loop/backing_file');
  return file === undefined ? undefined : deviceAt(host, file);
}

/** A btrfs may have many devices, and is mounted in the name of any of them (fs/btrfs/sysfs.c: devices). */
function isOneBtrfs(host: Host, number: string, other: string): boolean {
  return listing(host.path('/sys/fs/btrfs')).some((uuid) => {
    const names = listing(host.path(`/sys/fs/btrfs/${uuid}/devices`));
    const numbers = names.map((name) => sysfsNumber(host, name));
    return numbers.includes(number) && numbers.includes(other);
  });
}

/** The loop devices that are made of a device or image file: their paths and numbers. */
export function loopsOf(host: Host, device: Device): { readonly path: string; readonly number: string }[] {
  return listing(host.path('/sys/block'))
    .filter((name) => /^loop\d+$/.test(name))
    .map((name) => ({ path: `/dev/${name}`, number: sysfsNumber(host, name) ?? '' }))
    .filter(({ number }) => isSameDevice(loopFile(host, number), device));
}

/** The block devices that are made of this one, as sysfs lists them (device mapper, md): "/dev/dm-0 (vg0-vol1)". */
export function devicesAbove(host: Host, number: string): string[] {
  return listing(host.path(`/sys/dev/block/${number}/holders`)).map((name) => {
    const mapped = host.readText(`/sys/block/${name}/dm/name`)?.trim();
    return `/dev/${name}${mapped === undefined ? '' : ` (${mapped})`}`;
  });
}

/** Whether one of two block devices is made of the other, as a multipath device is of its paths. */
export function isMadeOf(host: Host, upper: string, lower: string): boolean {
  return listing(host.path(`/sys/dev/block/${upper}/slaves`)).some((name) => {
    const number = sysfsNumber(host, name);
    return number !== undefined && (number === lower || isMadeOf(host, number, lower));
  });
}

/** Whether the kernel lets nobody write to a block device: block/genhd.c, "ro" (blockdev --setro, losetup -r, a write-protected LUN). */
export function isWriteProtected(host: Host, number: string): boolean {
  return sysfs(host, number, 'ro') === '1';
}

/**
 * Whether nobody on this node has the device: no mount anywhere, none that was only hidden (umount -l), no device made of it, no
 * swap. To open a block device exclusively fails with EBUSY while any of those has claimed it (Linux block/bdev.c,
 * bd_prepare_to_claim). A loop device claims nothing of what it is made of (drivers/block/loop.c), so those are looked for.
 * A device that is not there has nobody.
 */
export function isFree(host: Host, path: string): boolean {
  const device = deviceAt(host, path);
  if (device === undefined) return true;
  if (loopsOf(host, device).length > 0) return false;
  if (device.kind === 'file') return true;
  doing(`opening ${device.path}`);
  try {
    closeSync(openSync(device.path, constants.O_RDONLY | constants.O_EXCL));
    return true;
  } catch (error) {
    return errnoOf(error) !== 'EBUSY';
  }
}

/** dev_t as MAJOR:MINOR in decimal (gnu_dev_major, gnu_dev_minor of glibc's sys/sysmacros.h). */
export function deviceNumberOf(rdev: number): string {
  const number = BigInt(rdev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn);
  return `${major & 0xffffffffn}:${minor & 0xffffffffn}`;
}

/** A line that sysfs has of a block device; undefined where it has none. */
function sysfs(host: Host, number: string, name: string): string | undefined {
  try {
    return host.readText(`/sys/dev/block/${number}/${name}`)?.replace(/\n$/, '');
  } catch {
    return undefined; // ENXIO: a loop device that was let go just now
  }
}

function sysfsNumber(host: Host, name: string): string | undefined {
  return host.readText(`/sys/class/block/${name}/dev`)?.trim();
}

function listing(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // the kernel has no such thing, or it went meanwhile
  }
}
