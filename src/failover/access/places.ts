import { readlink } from 'node:fs/promises';
import path from 'node:path';
import type { Config, Filesystem, FloatingIp, Volume } from '../../config/config.js';
import { volumesOf } from '../../config/floating-ip.js';
import type { Host } from '../../host/host.js';
import { findDevice } from '../../host/devices/device-names.js';
import { mountAt } from '../../host/reading/mounts.js';
import { asking } from '../../host/running/watchdog.js';
import { isAtOrBelow, nearestAbove } from '../../paths.js';

/** More links than the kernel follows (path_resolution(7)). */
const mostLinks = 40;

/**
 * The configuration in the words of this machine's kernel, which every table of it uses: devices by their paths, where they are named by
 * UUID=, LABEL= and the like (those that cannot be found stay as they are), and directories without symbolic links. Once at the
 * beginning of a command, so that what is mounted, exported, compared and recorded is one and the same.
 *
 * Throws FailoverError COMMAND_TIMEOUT, STEP_TIMEOUT, with the deadline it is run under.
 */
export async function inKernelTerms(host: Host, config: Config): Promise<Config> {
  // A rehearsed machine has neither: its devices are directories, and its paths lie below another one.
  if (host.kind === 'rehearsal') return config;
  const floatingIps: FloatingIp[] = [];
  for (const ip of config.floatingIps) floatingIps.push(await floatingIpOf(host, ip));
  return { ...config, floatingIps };
}

async function floatingIpOf(host: Host, ip: FloatingIp): Promise<FloatingIp> {
  const places = await realPlaces(volumesOf(ip).map(({ mountpoint }) => mountpoint));
  const real = (directory: string): string | undefined => {
    const above = nearestAbove(directory, [...places.keys()]);
    return above === undefined ? undefined : below(above, directory, places);
  };
  const volumeOf = async <V extends Volume>(volume: V): Promise<V> => {
    const mountpoint = real(volume.mountpoint) ?? volume.mountpoint;
    const found = await findDevice(host, volume.device, mountAt(host, mountpoint)?.source);
    return { ...volume, mountpoint, device: 'path' in found ? found.path : volume.device };
  };
  const filesystems: Filesystem[] = [];
  for (const filesystem of ip.filesystems) {
    const exports = filesystem.exports.map((one) => ({ ...one, path: real(one.path) ?? one.path }));
    filesystems.push({ ...(await volumeOf(filesystem)), exports });
  }
  // By another way than the mount point is named, it may lie on the volume too.
  const tops = [...places.values()];
  const elsewhere = await realPlace(ip.stateDirectory, tops);
  const isOnVolume = nearestAbove(elsewhere, tops) !== undefined;
  return {
    ...ip,
    ...(ip.stateVolume === undefined ? {} : { stateVolume: await volumeOf(ip.stateVolume) }),
    filesystems,
    stateDirectory: real(ip.stateDirectory) ?? (isOnVolume ? elsewhere : ip.stateDirectory),
  };
}

/** Of each mount point. What lies below another one is not looked at: that volume is others' to write to, and not always there. */
async function realPlaces(mountpoints: readonly string[]): Promise<Map<string, string>> {
  const places = new Map<string, string>();
  for (const mountpoint of mountpoints.toSorted((a, b) => a.length - b.length)) {
    const above = nearestAbove(mountpoint, [...places.keys()]);
    const begin = above === undefined ? mountpoint : below(above, mountpoint, places);
    places.set(mountpoint, await realPlace(begin, [...places.values()]));
  }
  return places;
}

/** Where `directory`, which lies below `above`, is by the real place of that one. */
function below(above: string, directory: string, places: ReadonlyMap<string, string>): string {
  return path.join(places.get(above) ?? above, path.relative(above, directory));
}

/**
 * An absolute path without symbolic links, also where its end is not there (yet), as mount(8) and the kernel's tables have it. From
 * one of `tops` on it is left as it is.
 */
async function realPlace(place: string, tops: readonly string[]): Promise<string> {
  let real = '';
  let rest = place.split('/').filter((name) => name !== '');
  for (let links = 0; rest.length > 0;) {
    if (real !== '' && tops.some((top) => isAtOrBelow(real, top))) return [real, ...rest].join('/');
    const [name = '', ...after] = rest;
    const next = path.join('/', real, name);
    const target = await linkTarget(next);
    if (target === undefined) {
      real = next === '/' ? '' : next;
      rest = after;
      continue;
    }
    links += 1;
    if (links > mostLinks) return place;
    if (target.startsWith('/')) real = '';
    rest = [...target.split('/').filter((one) => one !== '' && one !== '.'), ...after];
  }
  return real === '' ? '/' : real;
}

/** Undefined where it is no link, or not there. */
async function linkTarget(place: string): Promise<string | undefined> {
  try {
    return await asking(place, readlink(place));
  } catch {
    return undefined;
  }
}
