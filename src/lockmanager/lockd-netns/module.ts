import type { FloatingIp } from '../../config/config.js';
import { type DriverKey, oneOf, type RawFile, settingOf, wholeNumber } from '../../config/driver-settings.js';
import { isManaged, volumesOf } from '../../config/floating-ip.js';
import { readInterfaceName } from '../../config/names.js';
import { ofString } from '../../config/driver-settings.js';
import { type Problem, renderPath, Wrong } from '../../config/problem.js';
import { isAtOrBelow } from '../../paths.js';
import { nfsdKey } from '../kernel.js';
import type { DriverModule, Site } from '../module.js';
import { unfitFilesystems } from '../unfit.js';
import { instanceLacks, linkMistakes } from './able.js';
import type { InstanceLink } from './build.js';
import { servingPlace } from './inside.js';
import { type InstanceConfig, lockdNetns } from './lockd-netns.js';
import { instancesHere } from './place.js';

const linkKey: DriverKey<InstanceLink['kind']> = {
  name: 'link',
  ...oneOf(['macvlan', 'ipvlan', 'veth']),
  text: 'what joins an instance to the network: `macvlan` or `ipvlan` on the interface of the floating IP, or `veth` into the bridge that `bridge` names',
  default: 'macvlan',
};

const bridgeWanted = 'the name of an existing bridge, such as "br0"';
const bridgeKey: DriverKey<string | undefined> = {
  name: 'bridge',
  wanted: bridgeWanted,
  text: 'with `link = "veth"`, and only then: the existing bridge that the host\'s end of the veth joins',
  default: undefined,
  defaultText: 'none',
  read: ofString(bridgeWanted, readInterfaceName),
};

const threadsKey: DriverKey<number> = {
  name: 'threads',
  ...wholeNumber('an integer from 1 to 1024', 1n, 1024n),
  text: 'how many nfsd threads each instance has',
  default: 8,
};

const manageGidsKey: DriverKey<boolean> = {
  name: 'manage_gids',
  wanted: 'true or false, without quotes',
  text:
    "whether rpc.mountd of an instance looks up a user's groups on the server (rpc.mountd(8), --manage-gids), so that more than 16 of them count. An instance has an nfs.conf of its own, made from " +
    "this file: what the host's says holds for the host alone",
  default: true,
  read: (input) => (typeof input === 'boolean' ? input : new Wrong('write true or false, without quotes')),
};

/** lockd takes 0 to 240 (fs/lockd/svc.c, nlm_grace_period_max); below 10 clients that were notified at once have no time to reclaim. */
const graceKey: DriverKey<number | undefined> = {
  name: 'grace',
  ...wholeNumber('whole seconds from 10 to 240', 10n, 240n),
  text: "how long lockd's part of the grace period of an instance is, in seconds; the kernel makes it a multiple of 10, and it is one setting for the whole kernel. nfsd's part is 10. See GRACE in nlm-failover(8)",
  default: undefined,
  defaultText: "the host's nlm_grace_period; 50 where that is 0",
};

/** nfsd and rpcbind have theirs in every instance, because NFSv3 clients look nowhere else. */
const takenPorts: ReadonlyMap<number, string> = new Map([
  [111, 'rpcbind'],
  [2049, 'nfsd'],
]);
const anyPort = wholeNumber('a port from 1 to 65535', 1n, 65_535n);

function portKey(daemon: string, of: string, remark = ''): DriverKey<number | undefined> {
  return {
    name: `${daemon}_port`,
    wanted: anyPort.wanted,
    text: `the same port, TCP and UDP, for ${of} in every instance, for a firewall${remark}`,
    default: undefined,
    defaultText: 'any free port',
    read: (input) => {
      const port = anyPort.read(input);
      const taken = typeof port === 'number' ? takenPorts.get(port) : undefined;
      return taken === undefined ? port : new Wrong(`this is the port of ${taken}; write another one`);
    },
  };
}

const portKeys = {
  mountd: portKey('mountd', 'rpc.mountd'),
  statd: portKey('statd', 'rpc.statd'),
  lockd: portKey('lockd', 'lockd', '; one setting for the whole kernel'),
};

export const lockdNetnsModule: DriverModule = {
  name: 'lockd-netns',
  summary: 'stock kernels, a lock manager of its own for each address',
  servesFrom: 'instance',
  keys: [nfsdKey, linkKey, bridgeKey, threadsKey, manageGidsKey, graceKey, ...Object.values(portKeys)],
  problems: ({ lockManager }) => [...bridgeProblems(lockManager), ...portProblems(lockManager)],
  unsuited,
  lacks: async ({ host, ...site }, { takesOver }) => [
    ...(await instanceLacks(host, linkOf(site))),
    ...(takesOver ? unfitFilesystems(host, site.floatingIp) : []),
  ],
  mistakes: (site) => linkMistakes(linkOf(site)),
  instancesHere: (host) =>
    host.kind === 'real'
      ? instancesHere(host).map((address) => ({ address, ...servingPlace(host, address) }))
      : [],
  make: (site) => lockdNetns(site.host, instanceConfig(site)),
};

function linkOf({ config, floatingIp }: Pick<Site, 'config' | 'floatingIp'>): InstanceLink {
  const bridge = settingOf(config.lockManager, bridgeKey);
  return {
    kind: settingOf(config.lockManager, linkKey),
    parent: floatingIp.interface,
    ...(bridge === undefined ? {} : { bridge }),
  };
}

function instanceConfig(site: Site): InstanceConfig {
  const { config, floatingIp } = site;
  const { lockManager } = config;
  return {
    address: floatingIp.address,
    link: linkOf(site),
    nfsd: settingOf(lockManager, nfsdKey),
    threads: settingOf(lockManager, threadsKey),
    manageGids: settingOf(lockManager, manageGidsKey),
    grace: settingOf(lockManager, graceKey),
    ports: {
      mountd: settingOf(lockManager, portKeys.mountd),
      statd: settingOf(lockManager, portKeys.statd),
      lockd: settingOf(lockManager, portKeys.lockd),
    },
    callout: site.callout,
    filesystems: floatingIp.filesystems,
    foreignMountpoints: config.floatingIps
      .filter(({ address }) => address !== floatingIp.address)
      .flatMap((other) => volumesOf(other).map(({ mountpoint }) => mountpoint)),
  };
}

/** What an instance has for itself, so that the host's is not seen there. */
const ownDirectories = ['/run', '/var/lib/nfs', '/etc', '/usr/etc', '/proc/fs/nfsd'];

function unsuited(ip: FloatingIp): string[] {
  const options = ip.filesystems.flatMap(({ exports }) => exports.flatMap((one) => one.options.split(',')));
  const paths = [...volumesOf(ip).map(({ mountpoint }) => mountpoint), ip.stateDirectory];
  return [
    ...(['export', 'address'] as const)
      .filter((part) => isManaged(ip, part))
      .map((part) => `managed_by_others has "${part}", and nobody else can do that in an instance`),
    ...(options.some((option) => /^sec=.*krb5/.test(option))
      ? ['an export with sec=krb5 needs gssproxy, which an instance has not']
      : []),
    // The kernel asks the tlshd of its network namespace (net/handshake/netlink.c; exports(5), xprtsec=).
    ...(options.some((option) => /^xprtsec=.*tls/.test(option))
      ? ['an export with xprtsec=tls needs tlshd, which an instance has not']
      : []),
    ...paths.flatMap((path) => {
      const own = ownDirectories.find((directory) => isAtOrBelow(path, directory));
      return own === undefined ? [] : [`${path} is not seen in an instance, which has a ${own} of its own`];
    }),
  ];
}

type Table = RawFile['lockManager'];

function bridgeProblems({ link, bridge }: Table): Problem[] {
  const path = ['lock_manager', bridgeKey.name];
  if (link === 'veth' && bridge === undefined) {
    return [{ path, message: 'link "veth" needs the name of an existing bridge, such as "br0"' }];
  }
  // A bridge that is named and not used would be a mistake that nobody sees.
  if (bridge !== undefined && (link === undefined || link === 'macvlan' || link === 'ipvlan')) {
    return [{ path, message: 'only link "veth" joins a bridge: write link = "veth", or leave bridge out' }];
  }
  return [];
}

function portProblems(table: Table): Problem[] {
  const seen = new Map<number, Problem['path']>();
  return Object.values(portKeys).flatMap(({ name, read }) => {
    const path = ['lock_manager', name];
    const port = read(table[name]);
    if (port instanceof Wrong || port === undefined) return [];
    const before = seen.get(port);
    if (before) {
      return [{ path, message: `this port is already at ${renderPath(before)}; each service has its own` }];
    }
    seen.set(port, path);
    return [];
  });
}
