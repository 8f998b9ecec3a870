import { accessSync, constants, existsSync } from 'node:fs';
import path from 'node:path';
import type { Argv, Host } from '../../host/host.js';
import { searchPath } from '../../host/running/command.js';
import type { InstanceLink } from './build.js';

/** What an instance is built and run with: util-linux, iproute2, rpcbind, nfs-utils. */
const programs = ['unshare', 'nsenter', 'ip', 'rpcbind', 'rpc.statd', 'rpc.mountd', 'rpc.nfsd', 'exportfs'];

/**
 * Why this host cannot give an address an instance of its own, as a clause; undefined where it can. Tries what it can
 * try without a trace: the kind of link is made in a network namespace that ends with the try.
 */
export async function instancesUnavailable(
  host: Host,
  { kind, parent, bridge }: InstanceLink,
): Promise<string | undefined> {
  if (host.kind === 'rehearsal') return 'a rehearsal has no kernel of its own';
  if (process.getuid?.() !== 0) return 'instances need root';
  if (!existsSync('/proc/self/ns/net')) return 'no network namespaces in this kernel';
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length > 0) return `${missing.join(', ')} not installed`;
  if (!(await hasNfsd(host))) return 'no nfsd in this kernel';
  const device = kind === 'veth' ? (bridge ?? '') : parent;
  if (!existsSync(`/sys/class/net/${device}`)) return `no network interface ${device}`;
  return (await canLink(host, kind)) ? undefined : `no links of kind ${kind} in this kernel`;
}

/** nfsd's file system is registered, or its module lies ready to be loaded by mount(8). */
async function hasNfsd(host: Host): Promise<boolean> {
  if (/^nodev\tnfsd$/m.test(host.readText('/proc/filesystems') ?? '')) return true;
  if (!isInstalled('modinfo')) return false;
  return (await host.run(['modinfo', '-n', 'nfsd'], { short: true })).exitCode === 0;
}

/**
 * On the loopback of a fresh namespace no macvlan or ipvlan can be, so the try never succeeds: a kernel that knows
 * the kind says "Invalid argument", one that does not "Unknown device type" (rtnetlink.c, rtnl_newlink).
 */
async function canLink(host: Host, kind: InstanceLink['kind']): Promise<boolean> {
  const argv: Argv =
    kind === 'veth'
      ? ['unshare', '--net', 'ip', 'link', 'add', 'nlm0', 'type', 'veth', 'peer', 'name', 'nlm1']
      : ['unshare', '--net', 'ip', 'link', 'add', 'link', 'lo', 'name', 'nlm0', 'type', kind];
  const { exitCode, stderr } = await host.run(argv, { short: true });
  return exitCode === 0 || /Invalid argument/.test(stderr);
}

function isInstalled(program: string): boolean {
  return searchPath(process.env['PATH'])
    .split(':')
    .some((directory) => {
      try {
        accessSync(path.join(directory, program), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
