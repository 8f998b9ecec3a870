import { existsSync } from 'node:fs';
import { type Action, commandText, failed, type HostContext, notSo, runOrFail } from '../../host/action.js';
import type { Argv, Host } from '../../host/host.js';
import { runInOrder } from '../../host/run-in-order.js';
import { lookAtLink } from '../../host/actions/looks.js';
import { mountAt, mounts } from '../../host/reading/mounts.js';
import { directoriesByHand, instanceMounts, makeInstanceDirectories } from './directories.js';
import { insideInstance } from './inside.js';
import { makeOwnEtc, ownEtcByHand, type OwnNfsConf, ownEtcMounts } from './own-etc.js';
import { instanceExists, instanceInterface, instancePlace, instancePrefix } from './place.js';

export interface InstanceLink {
  readonly kind: 'macvlan' | 'ipvlan' | 'veth';
  /** macvlan, ipvlan: the interface of the configuration. */
  readonly parent: string;
  /** veth: the bridge that its other end goes into. */
  readonly bridge?: string;
}

export interface InstanceSettings {
  readonly address: string;
  readonly link: InstanceLink;
  /** Mount points of every other floating IP: a copy of their mounts in here would keep their devices busy. */
  readonly foreignMountpoints: readonly string[];
  readonly nfsConf: OwnNfsConf;
}

/**
 * B-2: namespaces for a floating IP. /run and /var/lib/nfs are its own, so that lockd registers with its own rpcbind and
 * statd keeps its own list; so is what the host has in /etc for its own NFS (see own-etc). The volume stays mounted on the host, at the same path inside, so that the record's
 * path is one and the same; changes of the host's mounts reach the instance (slave), never the other way.
 */
export function buildInstance(settings: InstanceSettings): Action<HostContext> {
  const { address, link } = settings;
  const place = instancePlace(address);
  const inside = instancePrefix(address);
  const commands: Argv[] = [['ip', 'netns', 'add', place.netns], ...linkCommands(address, link, place.netns)];
  const mountNamespace: Argv = [
    'unshare',
    `--mount=${place.mountNamespace}`,
    '--propagation',
    'slave',
    'true',
  ];
  const insideCommands: Argv[] = [
    ...ownEtcMounts(address),
    ['mount', '--rbind', place.nfs, '/var/lib/nfs'],
    ['ip', 'link', 'set', 'lo', 'up'],
    ['ip', 'link', 'set', instanceInterface, 'up'],
    ['mount', '-t', 'nfsd', 'nfsd', '/proc/fs/nfsd'],
    // Last: it covers the names of the namespaces.
    ['mount', '--rbind', place.run, '/run'],
  ];
  return {
    commands: [
      `mkdir -p ${place.directory}`,
      ...instanceMounts(address).map(commandText),
      `mkdir -p ${place.nfs}/{rpc_pipefs,v4recovery} ${place.statd}/{sm,sm.bak}   # as nfs-common makes them in /var/lib/nfs`,
      `# its own /etc in ${place.directory}/etc: links to the host's files, but for nfs.conf and exports`,
      ...[...commands, mountNamespace].map(commandText),
      ...settings.foreignMountpoints.map(
        (mountpoint) =>
          `${commandText([...inside, 'umount', '-l', mountpoint])}   # only where another address has it mounted`,
      ),
      ...insideCommands.map((argv) => commandText([...inside, ...argv])),
    ],
    byHand: [
      ...directoriesByHand(address),
      ...ownEtcByHand(address, settings.nfsConf),
      ...[...commands, mountNamespace].map(commandText),
      ...[
        ['mount', '--bind', `${place.directory}/etc`, '/etc'],
        ...insideCommands.slice(ownEtcMounts(address).length),
      ].map((argv) => commandText([...inside, ...argv])),
    ],
    programs: ['unshare', 'nsenter', 'ip', 'mount'],
    look: async ({ host }) => {
      const { kind, parent, bridge } = link;
      if (kind !== 'veth' || bridge === undefined) return lookAtLink(host, parent);
      const found = await lookAtLink(host, bridge);
      if (found.length > 0 || existsSync(`/sys/class/net/${bridge}/bridge`)) return found;
      return [{ message: `${bridge} is no bridge`, hint: 'Correct "bridge" in [lock_manager].' }];
    },
    check: () => false,
    act: async ({ host }) => {
      await makeInstanceDirectories(host, address);
      makeOwnEtc(address, settings.nfsConf);
      await runInOrder(host, commands);
      await bindMountNamespace(host, mountNamespace);
      await dropForeignMounts(host, settings);
      await runInOrder(host, insideCommands, inside);
      return undefined;
    },
    verify: ({ host }) => {
      if (!instanceExists(host, address) || mountAt(host, place.directory) === undefined) {
        throw notSo('B-2', `The instance of ${address} is not complete in ${place.directory}`);
      }
    },
  };
}

/**
 * Within a mount namespace Linux 6.18 refuses by chance to bind another one to a file (EINVAL): only one of a higher number than the present
 * one may be (fs/namespace.c, mnt_ns_loop), and each CPU has numbers of its own to give (kernel/nstree.c, ns_tree_gen_id:
 * gen_cookie_next). So each CPU is tried; that of the present one has a higher number.
 */
export async function bindMountNamespace(host: Host, argv: Argv): Promise<void> {
  const result = await host.run(argv);
  if (result.exitCode === 0) return;
  if (result.stderr.includes('Invalid argument')) {
    for (const cpu of cpusOf(host.readText('/proc/self/status') ?? ''))
      if ((await host.run(['taskset', '--cpu-list', String(cpu), ...argv])).exitCode === 0) return;
  }
  throw failed(argv, result);
}

/** Those that a process may run on, by its /proc/PID/status (proc_pid_status(5)): "0-3,8". */
export function cpusOf(status: string): number[] {
  const [, list = ''] = /^Cpus_allowed_list:\s*(.*)$/m.exec(status) ?? [];
  return list.split(',').flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return Number.isNaN(first) ? [] : Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/**
 * As the instance has them now, not as the host has: an address that leaves this host at the same time unmounts its volume, and
 * whether that reaches the copy depends on the host's mounts (see INSTANCES in nlm-failover(8)).
 */
async function dropForeignMounts(
  host: Host,
  { address, foreignMountpoints }: InstanceSettings,
): Promise<void> {
  if (foreignMountpoints.length === 0) return;
  const copies = () =>
    mounts(insideInstance(address))
      .map(({ mountpoint }) => mountpoint)
      .filter((mountpoint) => foreignMountpoints.includes(mountpoint));
  for (const mountpoint of copies().toReversed()) {
    try {
      await runOrFail(host, [...instancePrefix(address), 'umount', '-l', mountpoint]);
    } catch (error) {
      if (copies().includes(mountpoint)) throw error;
    }
  }
}

/**
 * Made where it belongs, in one call of the kernel: one that were made on the host and moved would stay there, in the way of
 * the next takeover, when this process ends between the two. Of a veth the other end is the host's, and goes with this one.
 */
function linkCommands(address: string, { kind, parent, bridge }: InstanceLink, netns: string): Argv[] {
  const inside = ['name', instanceInterface, 'netns', netns];
  switch (kind) {
    case 'macvlan':
      return [['ip', 'link', 'add', 'link', parent, ...inside, 'type', 'macvlan', 'mode', 'bridge']];
    case 'ipvlan':
      return [['ip', 'link', 'add', 'link', parent, ...inside, 'type', 'ipvlan', 'mode', 'l2']];
    case 'veth': {
      const outer = linkName(address);
      return [
        ['ip', 'link', 'add', outer, 'type', 'veth', 'peer', ...inside],
        ['ip', 'link', 'set', outer, 'master', bridge ?? ''],
        ['ip', 'link', 'set', outer, 'up'],
      ];
    }
  }
}

/** The host's end of a veth: at most 15 bytes, and the same for the same address. */
function linkName(address: string): string {
  let hash = 0;
  for (const character of address) hash = (hash * 31 + character.charCodeAt(0)) % 0xffffff;
  return `nlm${hash.toString(16)}`;
}
