import { realpathSync, statSync } from 'node:fs';
import type { Host } from '../host.js';

export interface Mount {
  /** MAJOR:MINOR in decimal, as /proc/self/mountinfo has it. */
  readonly deviceNumber: string;
  readonly mountpoint: string;
  readonly type: string;
  readonly source: string;
  /** Of the superblock, comma separated. */
  readonly superOptions: string;
}

/** Parses /proc/PID/mountinfo (proc_pid_mountinfo(5)); lines it cannot read are left out. */
export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ');
    const fields = left?.split(' ') ?? [];
    const [type, source, superOptions] = right?.split(' ') ?? [];
    const [, , deviceNumber, , mountpoint] = fields;
    if (deviceNumber === undefined || mountpoint === undefined || type === undefined || source === undefined)
      return [];
    return [
      {
        deviceNumber,
        mountpoint: unescapeOctal(mountpoint),
        type,
        source: unescapeOctal(source),
        superOptions: superOptions ?? '',
      },
    ];
  });
}

/** The kernel writes blank, tab, newline and backslash as \ooo (seq_path, mangle). */
export function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Every mount of this process's namespace, in the order they were made. */
export function mounts(host: Host): Mount[] {
  return parseMountinfo(host.readText('/proc/self/mountinfo') ?? '');
}

/** The mount at this very path; the topmost where several are stacked. */
export function mountAt(host: Host, mountpoint: string): Mount | undefined {
  return mounts(host).findLast((mount) => mount.mountpoint === mountpoint);
}

/**
 * Whether a mount is of the device that the configuration names (a path, UUID=, LABEL=, PARTUUID=).
 * By device number where the path is a block device, else by its text (btrfs and
 * network file systems have anonymous numbers).
 */
export function isMountOf(host: Host, mount: Mount, device: string): boolean {
  const path = devicePath(device);
  if (mount.source === path || mount.source === device) return true;
  try {
    const real = realpathSync(host.path(path));
    if (mount.source === real) return true;
    const stats = statSync(real);
    return stats.isBlockDevice() && deviceNumberOf(stats.rdev) === mount.deviceNumber;
  } catch {
    return false;
  }
}

/** Where udev keeps UUID=, LABEL=, PARTUUID=, PARTLABEL= (mount(8)); a path is itself. */
export function devicePath(device: string): string {
  const [, tag, value] = /^(UUID|LABEL|PARTUUID|PARTLABEL)=(.+)$/.exec(device) ?? [];
  return tag === undefined || value === undefined ? device : `/dev/disk/by-${tag.toLowerCase()}/${value}`;
}

/** dev_t as MAJOR:MINOR in decimal (gnu_dev_major, gnu_dev_minor of glibc's sys/sysmacros.h). */
export function deviceNumberOf(rdev: number): string {
  const number = BigInt(rdev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn);
  const minor = (number & 0xffn) | ((number >> 12n) & ~0xffn);
  return `${major & 0xffffffffn}:${minor & 0xffffffffn}`;
}
