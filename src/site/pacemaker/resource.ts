import type { Export, Filesystem, FloatingIp, ManagedPart, Volume } from '../../config/config.js';
import { managedParts } from '../../config/config.js';
import { mountOrder } from '../../config/floating-ip.js';
import { readDevice } from '../../config/paths.js';
import { unfit } from './unfit.js';
import {
  type Group,
  type Operation,
  type Pair,
  type Primitive,
  primitivesOf,
  type Resource,
  resourceId,
} from './model.js';
import { type AddressTimeouts, type AgentTimeouts, shallowMonitor } from './timeouts.js';

/** The provider of our agents: /usr/lib/ocf/resource.d/nlm-failover. */
export const ownProvider = 'nlm-failover';
const stock = 'heartbeat';

/** Beyond what balance and the colocation of others weigh, so that nothing moves by itself; below INFINITY, which a move by hand has. */
const stickiness = 1000;

/** Of what every node can serve, and comes home as soon as its home can: below the step between two scores (ganesha-ha/homes.ts). */
const sharedStickiness = 100;

/** For a whole address. */
function metaOf({ shared }: FloatingIp): readonly Pair[] {
  return [
    // Its default while fencing is on; said, so that no rsc_defaults weakens it (Pacemaker Explained, Resource Meta-Attributes).
    ['requires', 'fencing'],
    ['resource-stickiness', `${shared === undefined ? stickiness : sharedStickiness}`],
    // Two more tries in place, then the other node; forgotten after ten minutes.
    ['migration-threshold', '3'],
    ['failure-timeout', '600s'],
  ];
}

export interface ResourceOptions {
  readonly timeouts: AddressTimeouts;
  /** The configuration file, where it is not the default one. */
  readonly config: string | undefined;
}

/**
 * What serves an address. Nothing managed by others: one resource of our own. All of it: a group of stock agents around ours. Mounts
 * alone: those of the stock agent, then ours. Throws CLUSTER_UNFIT for every other combination, and for what the stock agents cannot do.
 */
export function resourceOf(ip: FloatingIp, options: ResourceOptions): Resource {
  const id = resourceId(ip.address);
  const managed = new Set(ip.managedByOthers);
  const meta = metaOf(ip);
  if (managed.size === 0) return { ...own(id, 'address', ip, options), meta };
  if (managed.size === 1 && managed.has('mount')) {
    return group(id, meta, [...filesystemsOf(id, ip, options), own(`${id}-address`, 'address', ip, options)]);
  }
  if (managedParts.some((part) => !managed.has(part))) throw refuseParts(ip, managed);
  return group(id, meta, [
    ...filesystemsOf(id, ip, options),
    own(`${id}-locks`, 'locks', ip, options),
    ...exportsOf(id, ip, options),
    address(`${id}-ip`, ip, options),
    own(`${id}-notify`, 'notify', ip, options),
  ]);
}

/** Beats what keeps a resource where it is: the members' stickiness is summed up (Pacemaker Explained, Group Stickiness). */
export function homeScore(resource: Resource): number {
  return stickiness * (primitivesOf(resource).length + 1);
}

function group(id: string, meta: readonly Pair[], members: readonly Primitive[]): Group {
  return { id, members, meta };
}

function own(
  id: string,
  type: 'address' | 'locks' | 'notify',
  { address: value }: FloatingIp,
  { config, timeouts }: ResourceOptions,
): Primitive {
  const deep: Operation = { name: 'monitor', interval: 60, timeout: timeouts.deepMonitor, depth: 10 };
  return {
    id,
    provider: ownProvider,
    type,
    parameters: [['address', value], ...(config === undefined ? [] : [['config', config] as const])],
    operations: [...startAndStop(timeouts[type]), monitor(10, shallowMonitor), deep],
    meta: [],
  };
}

function filesystemsOf(id: string, ip: FloatingIp, { timeouts }: ResourceOptions): Primitive[] {
  const { first, others } = mountOrder(ip);
  return [...first, ...others].map((volume, index) => ({
    id: `${id}-fs${index + 1}`,
    provider: stock,
    type: 'Filesystem',
    parameters: [
      ['device', deviceOf(ip, volume)],
      ['directory', plainPath(ip, volume.mountpoint)],
      ['fstype', volume.type],
      ...(volume.options === '' ? [] : [['options', volume.options] as const]),
    ],
    // As its meta-data advises.
    operations: [...startAndStop(timeouts.filesystem), monitor(20, 40)],
    meta: [],
  }));
}

function exportsOf(id: string, ip: FloatingIp, { timeouts }: ResourceOptions): Primitive[] {
  const exports = ip.filesystems.flatMap((filesystem) =>
    filesystem.exports.map((one) => ({ ...one, fsid: filesystem.fsid })),
  );
  return exports.map((one, index) => ({
    id: `${id}-export${index + 1}`,
    provider: stock,
    type: 'exportfs',
    parameters: exportParameters(ip, one),
    operations: [...startAndStop(timeouts.exportfs), monitor(10, shallowMonitor)],
    meta: [],
  }));
}

function exportParameters(
  ip: FloatingIp,
  { path, clients, options, fsid }: Export & Pick<Filesystem, 'fsid'>,
): Pair[] {
  return [
    ['clientspec', clients],
    ['directory', plainPath(ip, path)],
    ['fsid', fsid],
    ...(options === '' ? [] : [['options', options] as const]),
    // A-3 drops the locks, when they are noted, and proves it.
    ['unlock_on_stop', '0'],
    // For NFSv4, which has no NLM locks.
    ['wait_for_leasetime_on_stop', '0'],
    // Else root writes .rmtab in what clients can write to, through a symbolic link too (heartbeat/exportfs, backup_rmtab).
    ['rmtab_backup', 'none'],
  ];
}

function address(id: string, ip: FloatingIp, { timeouts }: ResourceOptions): Primitive {
  return {
    id,
    provider: stock,
    type: 'IPaddr2',
    parameters: [
      ['ip', ip.address],
      ['cidr_netmask', `${ip.prefix}`],
      ['nic', ip.interface],
    ],
    operations: [...startAndStop(timeouts.ip), monitor(10, shallowMonitor)],
    meta: [],
  };
}

function startAndStop({ start, stop }: AgentTimeouts): Operation[] {
  return [
    { name: 'start', interval: 0, timeout: start },
    { name: 'stop', interval: 0, timeout: stop },
  ];
}

function monitor(interval: number, timeout: number): Operation {
  return { name: 'monitor', interval, timeout };
}

/** The links of udev for the tags of fstab(5): heartbeat/Filesystem takes a path, and advises these. */
const linksOf: Readonly<Record<string, string>> = {
  UUID: 'by-uuid',
  LABEL: 'by-label',
  PARTUUID: 'by-partuuid',
  PARTLABEL: 'by-partlabel',
  ID: 'by-id',
};

/** A device as heartbeat/Filesystem takes it: a path. Throws CLUSTER_UNFIT. */
function deviceOf(ip: FloatingIp, { device, mountpoint, type }: Volume): string {
  const missing = [...(device === '' ? ['device'] : []), ...(type === '' ? ['type'] : [])];
  if (missing.length > 0) {
    throw unfit(
      `${ip.address}: the file system on ${mountpoint} has no ${missing.map((key) => `"${key}"`).join(' and no ')}, and ocf:heartbeat:Filesystem is to mount it`,
      'Write that into its [[floating_ip.filesystem]], on every node.',
    );
  }
  if (typeof readDevice(device) !== 'string') {
    throw unfit(
      `${ip.address}: ocf:heartbeat:Filesystem does not mount "${device}" (${type}), which is no device`,
      'Where an agent of its own mounts it (ocf:heartbeat:ZFS), write that group by hand: Filesystem stands where that agent goes. See PACEMAKER in nlm-failover(8).',
    );
  }
  const [, tag = '', value = ''] = /^([A-Z]+)=(.*)$/.exec(device) ?? [];
  const links = linksOf[tag];
  return links === undefined ? plainPath(ip, device) : `/dev/disk/${links}/${udevName(value)}`;
}

/** As udev names a link by what is on a device: every other byte as \xNN (systemd, encode_devnode_name in src/shared/device-nodes.c). */
function udevName(value: string): string {
  return value.replaceAll(/[^\w#+\-.:=@]/gu, (character) =>
    character > '\u007f' ? character : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/**
 * heartbeat/exportfs takes several directories with blanks between them, and heartbeat/Filesystem a path for a pattern of grep and printf:
 * what means something to one of them is refused. Throws CLUSTER_UNFIT.
 */
function plainPath({ address: of }: FloatingIp, path: string): string {
  const [wrong] = /[\s!"$%&'()*+;<>?[\\\]^`{|}]/u.exec(path) ?? [];
  if (wrong === undefined) return path;
  throw unfit(
    `${of}: the stock agents cannot have ${JSON.stringify(wrong)} in ${JSON.stringify(path)}: they take it for more than a path`,
    'Name it otherwise, or take managed_by_others out: ocf:nlm-failover:address has any path.',
  );
}

function refuseParts({ address: of }: FloatingIp, managed: ReadonlySet<ManagedPart>): Error {
  const names = [...managed].map((part) => `"${part}"`).join(', ');
  return unfit(
    `${of}: managed_by_others = [${names}] makes no order in which a cluster could start it`,
    'Leave it out: one resource does everything. Or ["mount"]: ocf:heartbeat:Filesystem mounts. Or ["mount", "export", "address"]: a group with stock agents.',
  );
}
