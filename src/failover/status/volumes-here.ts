import type { Config, FloatingIp, Volume } from '../../config/config.js';
import { isManaged, volumesOf } from '../../config/floating-ip.js';
import type { Host } from '../../host/host.js';
import { mountedBeside, mountersOf } from '../../host/reading/device-users.js';
import { mountOfDevice } from '../../host/reading/mounts.js';
import { notedAddresses, notedHere } from '../../rundir/mounts.js';
import { runDirectory } from '../../rundir/serving.js';
import { notedBeside } from '../steps/noted-mounts.js';

/**
 * What of an address's volumes is on this node in another way than mounted where the configuration says, as sentences: each keeps the address
 * from being served elsewhere. Nothing where others mount.
 */
export function volumesBeside(host: Host, config: Config, ip: FloatingIp): string[] {
  if (isManaged(ip, 'mount')) return [];
  const noted = notedBeside({ host, config }, ip).map(({ note, mount }) =>
    notedText(note.device, mount.mountpoint),
  );
  const missing = volumesOf(ip).filter((volume) => mountOfDevice(host, volume) === undefined);
  return [...new Set([...noted, ...missing.flatMap((volume) => volumeBeside(host, volume))])];
}

/** A btrfs may have other subvolumes mounted in other places. */
function volumeBeside(host: Host, volume: Volume): string[] {
  const { device, mountpoint, type } = volume;
  const elsewhere = type === 'btrfs' ? [] : mountedBeside(host, volume);
  return [
    ...elsewhere.map((where) => `${device} is ${where}, and not on ${mountpoint}`),
    ...mountersOf(host, volume).map((who) => `${who} still works on ${device} or ${mountpoint}`),
  ];
}

/** Addresses that have something mounted here by what was noted, with a sentence for each mount. */
export function notedVolumes(host: Host): { readonly address: string; readonly texts: readonly string[] }[] {
  const run = runDirectory(host);
  return notedAddresses(run)
    .map((address) => ({
      address,
      texts: notedHere(host, run, address).map(({ note, mount }) => notedText(note.device, mount.mountpoint)),
    }))
    .filter(({ texts }) => texts.length > 0);
}

function notedText(device: string, mountpoint: string): string {
  return `${device} is mounted on ${mountpoint} for it, and that is not in the configuration any more`;
}
