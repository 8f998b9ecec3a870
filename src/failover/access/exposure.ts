import { realpath } from 'node:fs';
import { posix } from 'node:path';
import { promisify } from 'node:util';
import type { Config, FloatingIp } from '../../config/config.js';
import { letsStatdIn } from '../../config/words.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { type ExportEntry, exported } from '../../host/reading/exports.js';
import { type Mount, mountOfDevice, mountOver, mounts } from '../../host/reading/mounts.js';
import { asking } from '../../host/running/watchdog.js';
import type { LockManager } from '../../lockmanager/port.js';
import { isAtOrBelow } from '../../paths.js';

const resolved = promisify(realpath);

interface Place {
  readonly host: Host;
  readonly config: Pick<Config, 'floatingIps'>;
  readonly floatingIp: FloatingIp;
  readonly driver: Pick<LockManager, 'exports'>;
}

/**
 * The exports through which a client with AUTH_SYS gets to the record of an address, as PATH (CLIENTS), as this node is mounted now;
 * none where its clients are trusted. A client makes up file handles of the whole file system (exports(5), no_subtree_check), so an
 * export of the same device is enough, under whatever name; with crossmnt also one of a file system above it, wherever it is mounted.
 *
 * What is exported stands in the etab of the node, and of the instance of the address; what is about to be, in the configuration.
 */
export async function exposures({ host, config, floatingIp, driver }: Place): Promise<string[]> {
  if (floatingIp.trustClients) return [];
  return exposedThrough({ host, config, current: await driver.exports.current() }, floatingIp.stateDirectory);
}

/**
 * The exports through which such a client gets to a directory, as PATH (CLIENTS). `current`: what a lock manager exports beside what stands
 * in this node's etab and what the configuration exports of the file systems that are mounted here.
 */
export async function exposedThrough(
  { host, config, current = [] }: Pick<Place, 'host' | 'config'> & { current?: readonly ExportEntry[] },
  directory: string,
): Promise<string[]> {
  const table = mounts(host);
  const record = mountOver(table, await realPath(host, directory));
  const open = [...exported(host), ...current, ...configured(host, config.floatingIps)].filter(
    ({ options }) => letsStatdIn(options),
  );
  const through: string[] = [];
  const unmounted = new Map(
    config.floatingIps
      .flatMap(({ filesystems }) => filesystems)
      .filter(({ isUnmounted }) => isUnmounted === true)
      .map(({ mountpoint, glusterVolume }) => [mountpoint, glusterVolume]),
  );
  for (const { path, clients, options } of open) {
    if (unmounted.has(path)) {
      if (isVolume(record, unmounted.get(path))) through.push(`${path} (${clients})`);
      continue;
    }
    const real = await realPath(host, path);
    const crosses =
      options.includes('crossmnt') &&
      table.some(
        (mount) => mount.deviceNumber === record?.deviceNumber && isAtOrBelow(mount.mountpoint, real),
      );
    if (crosses || mountOver(table, real)?.deviceNumber === record?.deviceNumber)
      through.push(`${path} (${clients})`);
  }
  return [...new Set(through)];
}

/** Whether a mount is that of a GlusterFS volume: HOST:VOLUME, HOST:/VOLUME, or a directory of it (mount.glusterfs(8)). */
function isVolume(mount: Mount | undefined, volume: string | undefined): boolean {
  if (mount === undefined || volume === undefined || mount.type !== 'fuse.glusterfs') return false;
  const [, name] = /^[^/]*:\/?([^/]+)/.exec(mount.source) ?? [];
  return name === volume;
}

/** Throws RECORD_EXPOSED, exit code 3. */
export async function expectUnexposed(place: Place): Promise<void> {
  const through = await exposures(place);
  if (through.length === 0) return;
  const { address, stateDirectory } = place.floatingIp;
  throw new FailoverError(
    `The record of ${address} in ${stateDirectory} lies on a file system that is exported to clients with AUTH_SYS or an anonuid, at ${through.join(', ')}: each of them could erase it`,
    {
      code: 'RECORD_EXPOSED',
      exitCode: exitCodes.configuration,
      operation: `takeover ${address}`,
      hint: 'Let state_directory lie on a file system of its own without exports (a state volume), end that export, or write trust_clients = true where you trust every client.',
    },
  );
}

/** The exports of the configuration whose file systems are mounted here. */
function configured(host: Host, floatingIps: readonly FloatingIp[]): ExportEntry[] {
  return floatingIps
    .flatMap(({ filesystems }) => filesystems)
    .filter((filesystem) => filesystem.isUnmounted === true || mountOfDevice(host, filesystem) !== undefined)
    .flatMap(({ exports }) =>
      exports.map(({ path, clients, options }) => ({ path, clients, options: options.split(',') })),
    );
}

/** Without symbolic links, as far as it is there. In a rehearsal a path is where its mount table says. */
async function realPath(host: Host, path: string): Promise<string> {
  if (host.kind === 'rehearsal' || path === '/') return path;
  try {
    return await asking(path, resolved(path));
  } catch {
    return posix.join(await realPath(host, posix.dirname(path)), posix.basename(path));
  }
}
