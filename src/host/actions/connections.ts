import { counted } from '../../counted.js';
import { type Action, commandText, type HostContext } from '../action.js';
import type { Argv, Host } from '../host.js';

/**
 * A-1: what is left of the address's TCP connections. When an address goes, the kernel's nfsd and
 * lockd close theirs by themselves (inetaddr notifiers in fs/nfsd/nfssvc.c and fs/lockd/svc.c, since
 * Linux 4.5); those of mountd, rpcbind, Ganesha and everything else are for ss.
 *
 * Cuts the TCP connections of an address. One that outlives a release and a take-back is out
 * of step with its peer and answers every segment with another (an "ack storm").
 * A kernel without CONFIG_INET_DIAG_DESTROY ignores `ss -K` without a word (ss(8)), so what is
 * left is counted and reported, not failed: without its address a connection only idles. `ifLeft`: where more is to be said of it.
 */
export function cutConnections(
  ip: { readonly address: string; readonly family: 4 | 6 },
  ifLeft?: string,
): Action<HostContext> {
  const source = ip.family === 6 ? `[${ip.address}]` : ip.address;
  const list: Argv = ['ss', '-Htn', 'state', 'established', 'src', source];
  const kill: Argv = ['ss', '-HtnK', 'state', 'connected', 'src', source];
  const count = async (host: Host) =>
    (await host.run(list)).stdout.split('\n').filter((line) => line.trim() !== '').length;
  return {
    commands: [commandText(kill)],
    check: async ({ host }) => (await count(host)) === 0,
    act: async ({ host }) => {
      const before = await count(host);
      await host.run(kill);
      const left = await count(host);
      return left === 0
        ? `cut ${plural(before)}`
        : `${plural(left)} not cut: this kernel cannot (CONFIG_INET_DIAG_DESTROY); ${ifLeft ?? `${left === 1 ? 'it idles' : 'they idle'} without the address`}`;
    },
    verify: () => undefined,
  };
}

function plural(count: number): string {
  return counted(count, 'TCP connection');
}
