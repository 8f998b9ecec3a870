import { nearestAbove } from '../../paths.js';
import type { Host } from '../host.js';
import { deviceAt, isFromDevice } from '../devices/devices.js';

export interface Mount {
  /** MAJOR:MINOR in decimal, as /proc/self/mountinfo has it. */
  readonly deviceNumber: string;
  /** What of the file system is mounted: "/" is all of it. */
  readonly root: string;
  readonly mountpoint: string;
  readonly type: string;
  readonly source: string;
  /** Of this mount alone, comma separated. */
  readonly options: string;
  /** Of the superblock, comma separated. */
  readonly superOptions: string;
}

/** Parses /proc/PID/mountinfo (proc_pid_mountinfo(5)); lines it cannot read are left out. */
export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ');
    const fields = left?.split(' ') ?? [];
    const [type, source, superOptions] = right?.split(' ') ?? [];
    const [, , deviceNumber, root, mountpoint, options] = fields;
    if (
      deviceNumber === undefined ||
      root === undefined ||
      mountpoint === undefined ||
      type === undefined ||
      source === undefined
    )
      return [];
    return [
      {
        deviceNumber,
        root: unescapeOctal(root),
        mountpoint: unescapeOctal(mountpoint),
        type,
        source: unescapeOctal(source),
        options: options ?? '',
        superOptions: superOptions ?? '',
      },
    ];
  });
}

/**
 * The kernel writes blank, tab, newline and backslash as \ooo (seq_path, mangle), nfs-utils in etab every byte beyond ASCII too: bytes of
 * UTF-8 that belong together.
 */
export function unescapeOctal(text: string): string {
  return text.replace(/(?:\\[0-7]{3})+/g, (run) =>
    Buffer.from(
      run
        .split('\\')
        .slice(1)
        .map((octal) => Number.parseInt(octal, 8)),
    ).toString('utf8'),
  );
}

/** Every mount of this process's namespace, in the order they were made. */
export function mounts(host: Host): Mount[] {
  return parseMountinfo(host.readText('/proc/self/mountinfo') ?? '');
}

/** The mount at this very path; the topmost where several are stacked. */
export function mountAt(host: Host, mountpoint: string): Mount | undefined {
  return mounts(host).findLast((mount) => mount.mountpoint === mountpoint);
}

/** The mount there, where it is of that device; undefined where there is none, or something else. */
export function mountOfDevice(
  host: Host,
  { device, mountpoint }: { readonly device: string; readonly mountpoint: string },
): Mount | undefined {
  const mount = mountAt(host, mountpoint);
  return mount !== undefined && isMountOf(host, mount, device) ? mount : undefined;
}

/** Of mounts in the order they were made, the one that a path lies on; undefined: on what no table of this process names. */
export function mountOver(all: readonly Mount[], path: string): Mount | undefined {
  const nearest = nearestAbove(
    path,
    all.map(({ mountpoint }) => mountpoint),
  );
  return all.findLast(({ mountpoint }) => mountpoint === nearest);
}

/**
 * Whether what is mounted is the file system of the device that the configuration names, whole: a bind mount of one directory of it is not.
 * Judged by what the names lead to, as one device has many: /dev/vg0/vol1, /dev/mapper/vg0-vol1, /dev/dm-0, an image file and its loop
 * device. Where the device is not there (any more), or is none, as of a network file system, by the text of the name.
 */
export function isMountOf(host: Host, mount: Mount, path: string): boolean {
  // Whatever others mount there.
  if (path === '') return true;
  const device = deviceAt(host, path);
  if (device === undefined) return mount.source === path;
  const number = numberOf(host, mount);
  return number !== undefined && isFromDevice(host, number, device) && (mount.root === '/' || isBtrfs(mount));
}

/**
 * Whether nothing can be written through a mount that is to be read and written: it was mounted so, the device is write-protected, or an
 * error made the file system so (errors=remount-ro, ext4(5)). `asked`: the mount options of the configuration.
 */
export function isReadOnlyUnasked({ options, superOptions }: Mount, asked: string): boolean {
  const isReadOnly = (list: string) => list.split(',').includes('ro');
  return !isReadOnly(asked) && (isReadOnly(options) || isReadOnly(superOptions));
}

/** Whether a mount is of anything that lies on the block device of that number. */
export function isMountFrom(host: Host, mount: Mount, number: string): boolean {
  const from = numberOf(host, mount);
  return from !== undefined && isFromDevice(host, from, { kind: 'block', path: '', number });
}

/** The number of the block device that is mounted. File systems with many devices have an anonymous one (major 0), and their source tells. */
function numberOf(host: Host, { deviceNumber, source }: Mount): string | undefined {
  if (!deviceNumber.startsWith('0:')) return deviceNumber;
  const device = source.startsWith('/') ? deviceAt(host, source) : undefined;
  return device?.kind === 'block' ? device.number : undefined;
}

/** One driver mounts ext2, ext3 and ext4 (ext4(5)), and their superblock says whether they are mounted somewhere. */
export function isExt(type: string): boolean {
  return /^ext[234]$/.test(type);
}

/** Of which every mount is one of a subvolume: mount options say of which. */
function isBtrfs({ type }: Mount): boolean {
  return type === 'btrfs';
}
