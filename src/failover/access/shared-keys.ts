import { createHash } from 'node:crypto';
import type { Config, FloatingIp, TimeoutsConfig } from '../../config/config.js';
import { toTimeouts } from '../../config/timeout-words.js';

/** Of [lock_manager] what may differ from node to node, and changes nothing for clients. */
const ofNode = new Set(['nfsd', 'restart', 'link', 'bridge', 'threads']);

/**
 * What the configuration says of an address and must be the same on every node, as a digest for each key: so that a difference is found by
 * its key. How a node names its interface and its devices is not in it, nor how long it waits, but for the others at CTDB's barrier. File systems go by their fsid and
 * exports by path and clients, whatever their order in the file.
 */
export function sharedKeys(
  { lockManager, timeouts }: Pick<Config, 'lockManager' | 'timeouts'>,
  ip: FloatingIp,
): Readonly<Record<string, string>> {
  const { given, driver, endGrace } = lockManager;
  const values: Record<string, unknown> = {
    'prefix length of address': ip.prefix,
    names: [...ip.names].toSorted(),
    ...(ip.legacyNotify === true ? { legacy_notify: true } : {}),
    state_directory: ip.stateDirectory,
    trust_clients: ip.trustClients,
    managed_by_others: [...(ip.managedByOthers ?? [])].toSorted(),
    '[lock_manager].driver': driver,
    ...(endGrace === undefined ? {} : { '[lock_manager].end_grace': endGrace }),
    ...Object.fromEntries(
      Object.entries(given)
        .filter(([key]) => !ofNode.has(key))
        .map(([key, value]) => [`[lock_manager].${key}`, value]),
    ),
    ...(ip.shared === undefined ? {} : ctdbKeys(timeouts)),
    ...(ip.shared === undefined ? {} : { 'nodes of shared_filesystem': ip.shared.nodes.toSorted() }),
    ...(ip.stateVolume === undefined ? {} : { 'state volume: mountpoint': ip.stateVolume.mountpoint }),
  };
  for (const { fsid, mountpoint, type, options, exports, exportId, glusterVolume } of ip.filesystems) {
    values[`fsid ${fsid}: mountpoint`] = mountpoint;
    values[`fsid ${fsid}: type`] = type;
    values[`fsid ${fsid}: options`] = sorted(options);
    if (exportId !== undefined) values[`fsid ${fsid}: export_id`] = exportId;
    if (glusterVolume !== undefined) values[`fsid ${fsid}: gluster_volume`] = glusterVolume;
    for (const one of exports)
      values[`fsid ${fsid}: export of ${one.path} to ${one.clients}`] = sorted(one.options);
  }
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, digest(value)]));
}

/** How long the nodes wait for each other; a version that knows none of these keys waits as long as one that has none. */
function ctdbKeys({ ctdb }: Pick<TimeoutsConfig, 'ctdb'>): Record<string, unknown> {
  const usual: Readonly<Record<string, number>> = { ...toTimeouts({}).ctdb };
  return Object.fromEntries(
    Object.entries(ctdb)
      .filter(([name, seconds]) => seconds !== usual[name])
      .map(([name, seconds]) => [`[timeouts].ctdb_${name}`, seconds]),
  );
}

/** Keys that the two do not have alike, sorted. */
export function differingKeys(
  one: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): string[] {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].filter((key) => one[key] !== other[key]).toSorted();
}

/**
 * Whether clients would find something else, or nothing, after a failover: their file handles have the fsid and the Export_Id, their mounts the
 * path.
 */
export function losesClients(key: string): boolean {
  return /^fsid \S+: (?:mountpoint|export_id|export of )/.test(key) || key === 'state volume: mountpoint';
}

function sorted(list: string): string {
  return list.split(',').toSorted().join(',');
}

/** TOML's integers are bigints. */
function digest(value: unknown): string {
  const text = JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? `${one}` : one));
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
