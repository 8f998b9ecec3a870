// What B-1 would fail for, as far as that can be known without mounting. Mount options are the kernel's to judge: nothing tells before.
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../../errors.js';
import { isAtOrBelow } from '../../paths.js';
import type { Obstacle } from '../action.js';
import { noneThere, unknownDevice } from '../devices/device-names.js';
import { deviceAt, isWriteProtected } from '../devices/devices.js';
import type { Host } from '../host.js';
import { mountedAt } from '../reading/device-users.js';
import { isInstalled, isMissing } from '../running/command.js';
import type { MountableFilesystem } from './mount.js';

/**
 * Everything that is seen to be in the way of a mount. `volumes`: the mount points of the address; what lies below one of them may lie
 * on a file system that is mounted before.
 */
export async function lookAtMount(
  host: Host,
  filesystem: MountableFilesystem,
  volumes: readonly string[] = [],
): Promise<Obstacle[]> {
  const { device, type } = filesystem;
  const isMissingDevice = device.startsWith('/') && !existsSync(host.path(device));
  return [
    ...(isMissingDevice
      ? [
          {
            message: unknownDevice(device, noneThere),
            hint: 'Correct "device" in the configuration, or see why this node does not reach it: lsblk, dmesg.',
          },
        ]
      : []),
    ...atMountpoint(host, filesystem, volumes),
    ...((await knowsType(host, type))
      ? []
      : [
          {
            message: `This kernel knows no file system of type "${type}"`,
            hint: 'Correct "type" in the configuration, or install what brings it.',
          },
        ]),
    ...(isMissingDevice ? [] : await onDevice(host, filesystem)),
  ];
}

/** Its directory is there, or can be made. */
function atMountpoint(
  host: Host,
  { mountpoint }: MountableFilesystem,
  volumes: readonly string[],
): Obstacle[] {
  const place = statSync(host.path(mountpoint), { throwIfNoEntry: false });
  if (place !== undefined)
    return place.isDirectory()
      ? []
      : [{ message: `The mount point ${mountpoint} is not a directory`, hint: 'Correct "mountpoint".' }];
  if (volumes.some((one) => one !== mountpoint && isAtOrBelow(mountpoint, one))) return [];
  let above = path.dirname(mountpoint);
  while (!existsSync(host.path(above))) above = path.dirname(above);
  return isReadOnly(host, above)
    ? [
        {
          message: `There is no mount point ${mountpoint}, and it cannot be made: ${above} lies on a file system that is read-only`,
          hint: `Make it once: mkdir -p ${mountpoint}`,
        },
      ]
    : [];
}

async function onDevice(
  host: Host,
  { device, mountpoint, type, options }: MountableFilesystem,
): Promise<Obstacle[]> {
  const elsewhere = isBtrfs(type)
    ? []
    : mountedAt(host, device).filter(({ isHere, mount }) => isHere && mount.mountpoint !== mountpoint);
  if (elsewhere.length > 0) {
    return [
      {
        message: `${device} is mounted on this node already, on ${elsewhere.map(({ mount }) => mount.mountpoint).join(', ')}, and not on ${mountpoint}`,
        hint: `Unmount it there, or correct "mountpoint". --fenced has no say in it.`,
      },
    ];
  }
  return [
    ...(await ofType(host, device, type, options)),
    ...(!options.split(',').includes('ro') && isReadOnlyDevice(host, device)
      ? [
          {
            message: `${device} is read-only on this node, and the configuration does not say "ro"`,
            hint: 'See why: "lsblk -o NAME,RO", dmesg, the storage.',
          },
        ]
      : []),
  ];
}

/** Every mount of a btrfs is one of a subvolume: others of it may be mounted elsewhere. */
function isBtrfs(type: string): boolean {
  return type === 'btrfs';
}

/** What a type mounts, by the names that libblkid has for superblocks (fs/ext4/super.c: ext2_feature_set_ok, ext3_feature_set_ok). */
const superblocksOf: Readonly<Record<string, readonly string[]>> = {
  ext2: ['ext2', 'ext3'],
  ext3: ['ext3'],
  ext4: ['ext2', 'ext3', 'ext4'],
  xfs: ['xfs'],
  btrfs: ['btrfs'],
  f2fs: ['f2fs'],
  jfs: ['jfs'],
};

/** By what is on the device (blkid -p), and not by what was once: nothing where the type is none of those above, or it does not begin there. */
async function ofType(host: Host, device: string, type: string, options: string): Promise<Obstacle[]> {
  const fitting = superblocksOf[type];
  if (fitting === undefined || /(?:^|,)offset=/.test(options)) return [];
  if (host.kind === 'real' && deviceAt(host, device) === undefined) return [];
  const hint = `See "blkid -p ${device}". Correct "device" or "type" in the configuration.`;
  try {
    const { exitCode, stdout } = await host.run(['blkid', '-p', '-o', 'value', '-s', 'TYPE', '--', device]);
    const found = stdout.trim();
    // blkid(8), EXIT STATUS: 2 where nothing was found, 8 where several things were.
    if (exitCode === 2 || (exitCode === 0 && found === ''))
      return [{ message: `There is no file system on ${device}: the configuration says ${type}`, hint }];
    if (exitCode !== 0 || fitting.includes(found)) return [];
    return [{ message: `${device} is ${found}, and the configuration says ${type}`, hint }];
  } catch (error) {
    if (!isMissing(error)) throw error;
    return [];
  }
}

function isReadOnlyDevice(host: Host, name: string): boolean {
  const device = deviceAt(host, name);
  if (device === undefined) return false;
  return device.kind === 'file' ? isReadOnly(host, name) : isWriteProtected(host, device.number);
}

/** EROFS is the answer to root too (access(2)). */
function isReadOnly(host: Host, file: string): boolean {
  try {
    accessSync(host.path(file), constants.W_OK);
    return false;
  } catch (error) {
    return errnoOf(error) === 'EROFS';
  }
}

/** It is in the kernel, its module lies ready, or a program mounts it (mount(8), external helpers). */
async function knowsType(host: Host, type: string): Promise<boolean> {
  if (host.kind === 'rehearsal') return true;
  const known = (host.readText('/proc/filesystems') ?? '').split('\n').map((line) => line.split('\t').at(-1));
  const kinds = type.split(',');
  // Left to mount(8) to find out, or to its rules.
  if (kinds.some((kind) => kind === 'auto' || kind === 'none' || kind.startsWith('no'))) return true;
  for (const kind of kinds) {
    if (
      known.includes(kind) ||
      isInstalled(`mount.${kind}`) ||
      isInstalled(`mount.${kind.split('.')[0] ?? ''}`)
    )
      return true;
    if (!isInstalled('modinfo')) return true;
    // mount(2) asks for the module by this alias (fs/filesystems.c, get_fs_type).
    const { exitCode } = await host.run(['modinfo', '-n', `fs-${kind}`], { short: true });
    if (exitCode === 0) return true;
  }
  return false;
}
