import { readdirSync } from 'node:fs';
import type { Host } from '../host.js';
import { deviceAt, isSameDevice } from './devices.js';

/** Named in the order in which the kernel found them: another disk may have the name after the next start (udev(7)). */
const unstable =
  /^\/dev\/(?:(?:s|v|xv|h|ub)d[a-z]+\d*|nvme\d+n\d+(?:p\d+)?|mmcblk\d+(?:p\d+)?|dm-\d+|md\d+(?:p\d+)?|loop\d+(?:p\d+)?|nbd\d+(?:p\d+)?|sr\d+)$/;

/** Whether another device may have this name after the next start. */
export function isUnstableName(device: string): boolean {
  return unstable.test(device);
}

/** Best first: what stays where the disk is put elsewhere, then where the file system is made anew. */
const directories = ['/dev/disk/by-id', '/dev/disk/by-uuid', '/dev/mapper', '/dev/disk/by-path'];

/** In by-id there are names of many kinds for one disk; those of its maker come before those of its bus. */
const lessGood = /^(?:wwn-|nvme-eui\.|scsi-[0-9a-f]|dm-uuid-)/;

/**
 * The names of a device that stay the same from one start to the next, the best one first: links of udev, and the device mapper's;
 * a UUID as fstab(5) writes it. None where udev has made none.
 */
export function stableNames(host: Host, device: string): string[] {
  const wanted = deviceAt(host, device);
  if (wanted === undefined) return [];
  return directories.flatMap((directory) =>
    listing(host.path(directory))
      .filter((name) => isSameDevice(deviceAt(host, `${directory}/${name}`), wanted))
      .toSorted((a, b) => Number(lessGood.test(a)) - Number(lessGood.test(b)) || (a < b ? -1 : 1))
      .map((name) => (directory.endsWith('by-uuid') ? `UUID=${name}` : `${directory}/${name}`)),
  );
}

function listing(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // without udev there is none
  }
}
