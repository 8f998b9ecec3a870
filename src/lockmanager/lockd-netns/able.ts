import { existsSync, readFileSync } from 'node:fs';
import type { Argv, Host } from '../../host/host.js';
import { hasNfsd } from '../../host/reading/nfsd.js';
import { isInstalled } from '../../host/running/command.js';
import type { InstanceLink } from './build.js';

/** What an instance is built and run with: util-linux, iproute2, rpcbind, nfs-utils. */
const programs = ['unshare', 'nsenter', 'ip', 'rpcbind', 'rpc.statd', 'rpc.mountd', 'rpc.nfsd', 'exportfs'];

/**
 * What this host lacks to give an address an instance of its own, each as a clause. Tries what it can try without a trace: the
 * kind of link is made in a network namespace that ends with the try.
 */
export async function instanceLacks(host: Host, link: InstanceLink): Promise<string[]> {
  if (host.kind === 'rehearsal') return ['a rehearsal has no kernel of its own'];
  const { kind, parent } = link;
  const isRoot = process.getuid?.() === 0;
  const hasNamespaces = existsSync('/proc/self/ns/net');
  const missing = programs.filter((program) => !isInstalled(program));
  const canTry = isRoot && hasNamespaces && !missing.includes('unshare') && !missing.includes('ip');
  return [
    ...(isRoot ? [] : ['instances need root']),
    ...(hasNamespaces ? [] : ['no network namespaces in this kernel']),
    ...(missing.length === 0 ? [] : [`${missing.join(', ')} not installed`]),
    ...((await hasNfsd(host)) ? [] : ['no nfsd in this kernel']),
    ...linkMistakes(link),
    ...deviceLacks(parent, kind),
    ...(!canTry || (await canLink(host, kind)) ? [] : [`no links of kind ${kind} in this kernel`]),
  ];
}

/** What the existing interface must be that the link goes on. */
function deviceLacks(parent: string, kind: InstanceLink['kind']): string[] {
  const known = `/sys/class/net/${parent}`;
  // Neither on a loopback nor on InfiniBand: ARPHRD_ETHER is 1 (macvlan_port_create in drivers/net/macvlan.c, ipvlan_port_create).
  if (kind === 'veth' || !existsSync(known) || readFileSync(`${known}/type`, 'utf8').trim() === '1')
    return [];
  return [`no ${kind} can be on ${parent}, which is no Ethernet`];
}

/** Of what an instance lacks, what is but a mistake in the configuration: an interface or a bridge that is none. */
export function linkMistakes({ kind, parent, bridge = '' }: InstanceLink): string[] {
  const device = kind === 'veth' ? bridge : parent;
  const known = `/sys/class/net/${device}`;
  if (!existsSync(known)) return [`no network interface ${device}`];
  return kind === 'veth' && !existsSync(`${known}/bridge`) ? [`${device} is no bridge`] : [];
}

/**
 * Whether the kernel knows a kind of link: it has its module loaded, or it is tried.
 * On the loopback of a fresh namespace no macvlan or ipvlan can be, so the try never succeeds: a kernel that knows
 * the kind says "Invalid argument", one that does not "Unknown device type" (rtnetlink.c, rtnl_newlink).
 */
async function canLink(host: Host, kind: InstanceLink['kind']): Promise<boolean> {
  if (existsSync(host.path(`/sys/module/${kind}`))) return true;
  const argv: Argv =
    kind === 'veth'
      ? ['unshare', '--net', 'ip', 'link', 'add', 'nlm0', 'type', 'veth', 'peer', 'name', 'nlm1']
      : ['unshare', '--net', 'ip', 'link', 'add', 'link', 'lo', 'name', 'nlm0', 'type', kind];
  const { exitCode, stderr } = await host.run(argv, { short: true });
  return exitCode === 0 || /Invalid argument/.test(stderr);
}
