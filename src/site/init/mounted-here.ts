import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Wrong } from '../../config/problem.js';
import { readMountOptions } from '../../config/words.js';
import { recordDirectory } from '../../record/safe-files/layout.js';
import { deviceAt } from '../../host/devices/devices.js';
import { isUnstableName, stableNames } from '../../host/devices/stable-names.js';
import type { Host } from '../../host/host.js';
import { type Mount, mounts } from '../../host/reading/mounts.js';
import { readSuperblock } from '../../host/reading/superblock.js';
import { ownUuid } from '../adopt/exports-beside.js';
import { largestStateVolume } from '../setup/empty-device.js';
import type { Found, FoundSite } from './found.js';

/** Flags of a mount that are not what mount(8) does by itself (show_mnt_opts in Linux fs/proc_namespace.c). */
const flags = new Set([
  'ro',
  'noatime',
  'nodiratime',
  'strictatime',
  'nodev',
  'nosuid',
  'noexec',
  'nosymfollow',
  'sync',
  'dirsync',
  'lazytime',
]);

/** mount -o of a mount: what is not the default. */
export function optionsOf({ options, superOptions }: Mount): string {
  const all = [
    ...options.split(','),
    ...superOptions.split(',').filter((one) => ['sync', 'dirsync', 'lazytime', 'ro'].includes(one)),
  ];
  const words = readMountOptions([...new Set(all)].filter((one) => flags.has(one)).join(','));
  return words instanceof Wrong ? '' : words;
}

/** What is mounted, by a name that stays; undefined `value` where somebody else mounts it: it is no device. */
export function deviceOf(host: Host, { source, deviceNumber }: Mount): Found {
  const file = host.readText(`/sys/dev/block/${deviceNumber}/loop/backing_file`)?.replace(/\n$/, '');
  if (file !== undefined && deviceAt(host, file)?.kind === 'file') return { value: file };
  if (!isUnstableName(source)) return { value: source };
  const [stable] = stableNames(host, source);
  return stable === undefined
    ? {
        value: source,
        about:
          'GUESSED: udev has no other name for it, and this one may be another disk after the next start',
      }
    : { value: stable };
}

/** Whether it is mounted from a device at all: ZFS, CephFS and the like are not. */
export function isOfDevice(host: Host, { source, deviceNumber }: Mount): boolean {
  return (
    source.startsWith('/') &&
    (host.kind === 'rehearsal' || !deviceNumber.startsWith('0:') || deviceAt(host, source) !== undefined)
  );
}

/** For exports that have none. */
export async function derivedFsid(host: Host, mount: Mount): Promise<Found> {
  const uuid = await ownUuid(host, mount);
  if (uuid !== undefined)
    return {
      value: uuid,
      about:
        "derived: the file system's UUID, which its clients' file handles hold already, as it is exported without fsid=",
    };
  const number = createHash('sha256').update(mount.source).digest().readUInt32BE(0);
  return {
    value: (number % 0xffff_fffe) + 1,
    about:
      'GUESSED: it is exported without fsid=, so that its file handles go stale when it is exported with this one. Any number that no other file system has',
  };
}

/** No state volume. */
const systems = /^\/(?:$|(?:boot|usr|var|home|tmp|root|opt|etc|run|proc|sys|dev)(?:\/|$))/;

/**
 * Where the record of an address lies, or may lie: on the mount that has it; else on the one small ext4 with multiple mount protection that
 * nothing is exported of.
 */
export async function stateOf(
  host: Host,
  address: string | undefined,
  exportedOn: readonly Mount[],
): Promise<Pick<FoundSite, 'stateDirectory' | 'stateVolume'>> {
  const all = mounts(host).filter(
    ({ mountpoint, root }) =>
      root === '/' && !systems.test(mountpoint) && !exportedOn.some((one) => one.mountpoint === mountpoint),
  );
  const hasRecord = (directory: string) =>
    address !== undefined && existsSync(recordDirectory(host.path(directory), address));
  const withRecord = all.filter(({ mountpoint }) => hasRecord(mountpoint));
  const [has] = withRecord;
  if (has !== undefined) return describe(host, has);
  const onExported = exportedOn.find(({ mountpoint }) =>
    ['', '.nlm'].some((below) => hasRecord(path.join(mountpoint, below))),
  );
  if (onExported !== undefined)
    return {
      stateDirectory: {
        value: undefined,
        wanted: 'the mount point of a state volume',
        about: `The record lies on ${onExported.mountpoint}, which is exported: each client could erase it`,
      },
      stateVolume: undefined,
    };
  const candidates: Mount[] = [];
  for (const mount of all.filter(({ type }) => type === 'ext4')) {
    const superblock = await readSuperblock(host, mount.source);
    if (superblock?.hasMmp === true && superblock.bytes <= largestStateVolume) candidates.push(mount);
  }
  const [one, ...more] = candidates;
  if (one !== undefined && more.length === 0)
    return describe(
      host,
      one,
      'GUESSED: a small ext4 with multiple mount protection, of which nothing is exported',
    );
  return {
    stateDirectory: {
      value: undefined,
      wanted: 'the mount point of a state volume',
    },
    stateVolume: undefined,
  };
}

function describe(
  host: Host,
  mount: Mount,
  about?: string,
): Pick<FoundSite, 'stateDirectory' | 'stateVolume'> {
  const { mountpoint, type } = mount;
  const volume = { device: deviceOf(host, mount), mountpoint, type, options: optionsOf(mount) };
  return {
    stateDirectory: { value: mountpoint },
    stateVolume: about === undefined ? volume : { ...volume, about },
  };
}
