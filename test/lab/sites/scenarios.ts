import type { Kernels } from '../lab.js';
import { drawSites } from './draw.js';
import { defaultSite, type SiteLimits, type SiteTraits, traitNames } from './traits.js';

/** The driver `lockd`: nfsd serves the floating IP from the server's own namespace, so it must not be bound to one address there. */
const onTheServer: SiteLimits = { nfsConf: ['none', 'ports', 'drop-in'] };
/** nfsd is asked for file handles by a name that only these sites have, and the rival that asks lockd past the kernel knows IPv4. */
const pastTheKernel: SiteLimits = {
  clients: ['everybody'],
  mountpoint: ['plain', 'missing', 'link'],
  family: ['IPv4'],
};

/** What is exported is a volume of GlusterFS, to everybody: the disks are its bricks. */
const onAVolume: SiteLimits = {
  clients: ['everybody'],
  device: ['node'],
  type: ['ext4'],
  mountpoint: ['plain'],
  path: ['volume'],
  state: ['volume'],
  nfsConf: ['none'],
};

/** Every scenario by its title, with what it cannot do without; the first one has the default site. A new one goes to the end, so that the others keep their sites. */
const all: Readonly<Record<string, SiteLimits>> = {
  'planned failover: the client keeps its lock and the rival never gets it': onTheServer,
  'counter-proof: without B-2 the reclaim fails and the rival gets the lock': onTheServer,
  'power cut: takeover --fenced, from the journal of the dead node': onTheServer,
  'two fsids under one floating IP: the locks on both survive': onTheServer,
  'two fsids under one floating IP, and another floating IP of the taking node: the locks on all survive':
    onTheServer,
  'a lock that is not reclaimed is named, with its file and its client': onTheServer,
  'after a power cut the client that does not come back is named': onTheServer,
  'a client under I/O: in the safe order, in the published one, and in that with a pause between B-4 and B-5':
    onTheServer,
  'the order safe, with a client under I/O': onTheServer,
  'a pause between B-4 and B-5, as the published order has one: the application sees it': onTheServer,
  'lockd: power cuts in the middle of release and takeover': onTheServer,
  'lockd-netns: planned failover, and nothing of the instance is left on A': {},
  'lockd-netns: power cut, and what a crashed takeover left on B is cleared': { state: ['protected'] },
  'lockd-netns: two addresses of one client; one moves alone, then both in opposite directions': {},
  'lockd-netns: a bystander during a takeover is neither notified nor put into grace': {},
  'lockd-netns: status names a dead daemon, and ends with 1': {},
  'lockd-netns: under systemd a daemon that dies comes back, rpcbind does not, and release leaves no unit':
    {},
  'lockd-netns: an IPv6 floating IP, on an ipvlan; a bystander during a takeover is neither notified nor put into grace':
    { family: ['IPv6'] },
  'lockd-netns: the grace ends once all locks are back, there and back, and not after a power cut; ended before that it loses them':
    pastTheKernel,
  'counter-proof: a grace that is ended before the reclaim loses the lock': pastTheKernel,
  'lockd-netns: after a power cut the grace is not ended, whoever is back': pastTheKernel,
  'trust_clients = true: a client that says it is statd erases the record': {
    ...onTheServer,
    state: ['exported'],
    path: ['volume'],
    options: ['root_squash'],
  },
  'typed by hand from nlm-failover-recovery(7), after adopt: lockd to an instance and back': {
    ...onTheServer,
    // The lines are the page's, with other words in them.
    clients: ['everybody', 'network'],
    mountpoint: ['plain', 'missing'],
    // The file handle of an export without fsid= is known of these.
    type: ['ext4', 'xfs'],
    state: ['protected'],
    family: ['IPv4'],
  },
  'systemd: a clean reboot of a single server, and its client keeps the lock': { nfsConf: ['none'] },
  'lockd-netns: power cuts in the middle of release and takeover': {},
  'lockd-netns: failovers there and back': {},
  'systemd: a clean reboot with an instance': { nfsConf: ['none'] },
  'systemd: the unit where not all is well': { state: ['volume'], type: ['ext4'], nfsConf: ['none'] },
  'systemd: a clean reboot without nlm-failover': { type: ['ext4'], nfsConf: ['none'] },
  'pacemaker: two addresses move, each alone, and a cluster manager that is started anew moves nothing': {},
  'pacemaker: a node that dies, one that cannot stop and one that is cut off are fenced, and the lock is kept':
    { state: ['protected'] },
  // What the stock agents can do with.
  'pacemaker: a group of stock agents with ours between them moves, and is taken over from a dead node': {
    ...onTheServer,
    clients: ['everybody', 'network'],
    device: ['node', 'uuid', 'link'],
    mountpoint: ['plain', 'missing'],
    state: ['volume', 'protected'],
    family: ['IPv4'],
  },
  'keepalived: planned, two masters, and a dead node without and with a fence command': {
    state: ['protected'],
  },
  'ganesha: one of two addresses moves there and back; one of IPv6 outlives NFS-Ganesha, then the node': {
    // Its VFS back end, which follows no link to a mount point; on ext4 its wire tests are.
    type: ['xfs', 'btrfs'],
    mountpoint: ['plain', 'missing', 'space'],
    // Clients come by both families.
    clients: ['everybody', 'names', 'wildcard'],
    family: ['IPv4'],
  },
  'GlusterFS: two addresses of NFS-Ganesha on both servers; one moves there and back, then its node dies':
    onAVolume,
  'pacemaker: NFS-Ganesha on GlusterFS: an address moves and comes home, stays where nobody fences, and outlives its node':
    onAVolume,
};

/** Those that are parts of another one by now: they are drawn still, so that those after them keep their sites. */
const partsOfOthers: ReadonlySet<string> = new Set([
  'two fsids under one floating IP: the locks on both survive',
  'the order safe, with a client under I/O',
  'a pause between B-4 and B-5, as the published order has one: the application sees it',
  'lockd-netns: a bystander during a takeover is neither notified nor put into grace',
  'lockd-netns: under systemd a daemon that dies comes back, rpcbind does not, and release leaves no unit',
  'counter-proof: a grace that is ended before the reclaim loses the lock',
  'lockd-netns: after a power cut the grace is not ended, whoever is back',
]);

/** Those that are only in the full run (NLM_FULL, LAB_FAILOVERS). */
const onlyInFullRun: ReadonlySet<string> = new Set([
  'lockd-netns: power cut, and what a crashed takeover left on B is cleared',
  'lockd-netns: two addresses of one client; one moves alone, then both in opposite directions',
  'lockd-netns: power cuts in the middle of release and takeover',
  'lockd-netns: failovers there and back',
  'systemd: a clean reboot with an instance',
  'systemd: the unit where not all is well',
  'systemd: a clean reboot without nlm-failover',
  'GlusterFS: two addresses of NFS-Ganesha on both servers; one moves there and back, then its node dies',
]);

/**
 * Where guests do not have the newest kernel. Those of Debian 12 and of Debian 13 on both servers, with each driver; one of them alone
 * as in a cluster that is being upgraded; the clients alone. In short scenarios: on 6.1 one costs two to three times as much.
 */
const kernelsByTitle: Readonly<Record<string, Kernels>> = {
  'planned failover: the client keeps its lock and the rival never gets it': {
    A: 'system',
    B: 'system',
    C: 'system',
  },
  'counter-proof: without B-2 the reclaim fails and the rival gets the lock': {
    A: 'stable',
    B: 'stable',
    C: 'stable',
  },
  'power cut: takeover --fenced, from the journal of the dead node': { A: 'system', B: 'stable' },
  'a lock that is not reclaimed is named, with its file and its client': { C: 'system' },
  'after a power cut the client that does not come back is named': { C: 'stable' },
  'lockd-netns: planned failover, and nothing of the instance is left on A': {
    A: 'system',
    B: 'system',
    C: 'stable',
  },
  'lockd-netns: an IPv6 floating IP, on an ipvlan; a bystander during a takeover is neither notified nor put into grace':
    { A: 'stable', B: 'system' },
  'lockd-netns: two addresses of one client; one moves alone, then both in opposite directions': {
    A: 'stable',
    B: 'stable',
  },
  'typed by hand from nlm-failover-recovery(7), after adopt: lockd to an instance and back': {
    A: 'stable',
    B: 'stable',
  },
  'systemd: a clean reboot with an instance': { A: 'system', B: 'system' },
  'systemd: the unit where not all is well': { A: 'stable', B: 'stable' },
};

/** The kernels of a scenario's guests, where they are not the newest. */
export function kernelsOf(title: string): Kernels {
  return kernelsByTitle[title] ?? {};
}

/** In a line. */
export function describeKernels(kernels: Kernels): string {
  const others = Object.entries(kernels).map(([guest, kernel]) => `${guest} ${kernel}`);
  return `kernels: ${others.length === 0 ? 'the newest' : others.join(', ')}`;
}

/** Every scenario of a CI run by its title. */
export const scenarios: Readonly<Record<string, SiteLimits>> = Object.fromEntries(
  Object.entries(all).filter(([title]) => !onlyInFullRun.has(title) && !partsOfOthers.has(title)),
);

const sites = drawSites(all);

/** The site of a scenario. @throws Error where it does not stand in the list */
export function traitsOf(title: string): SiteTraits {
  const site = sites.get(title);
  if (site === undefined) throw new Error(`"${title}" does not stand in test/lab/sites/scenarios.ts`);
  return site;
}

/** In a line: what differs from the default site. */
export function describeSite(site: SiteTraits): string {
  const words = traitNames.flatMap((name) =>
    site[name] === defaultSite[name] ? [] : [`${name} ${site[name]}`],
  );
  return words.length === 0 ? 'the default site' : words.join(', ');
}
