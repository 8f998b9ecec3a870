import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { makeRehearsal, type RehearsalNode, type RehearsalSite } from '../../helpers/rehearsal-site.js';

/** Two public addresses of CTDB; both rehearsed nodes export the file system behind them. */
export const addresses = ['127.79.1.1', '127.79.1.2'] as const;

export interface CtdbSite extends RehearsalSite {
  /** Where records and notes lie, on storage that both see. */
  readonly shared: string;
  readonly nodes: readonly RehearsalNode[];
  /** CTDB gives this node these addresses, and none else of them. */
  give(node: RehearsalNode, given: readonly string[]): void;
  /** What CTDB says of its nodes. */
  connect(connected: boolean): void;
}

/** Each node's nfsd runs, without a grace, and has no address. */
export function ctdbSite(t: ExecutionContext, rpcbindPort: number, timeouts = ''): CtdbSite {
  t.timeout(180_000);
  const [address, other] = addresses;
  const site = makeRehearsal({
    address,
    rpcbindPort,
    stateDirectory: '/shared_storage',
    others: [{ address: other, fsid: 2 }],
  });
  t.teardown(() => site.remove());
  const shared = path.join(site.directory, 'shared');
  mkdirSync(shared, { mode: 0o755 });
  const nodes = [site.a, site.b];
  for (const node of nodes) {
    node.link('/shared_storage', shared);
    node.write('/etc/nlm-failover.toml', configText(node.name, timeouts));
    node.write('/proc/fs/nfsd/threads', '8\n');
    mkdirSync(node.path('/srv/vol'), { recursive: true });
    node.write('/proc/self/mountinfo', `1 0 11:1 / /srv/vol rw - gpfs /dev/vol1 rw\n`);
  }
  const connect = (connected: boolean) => {
    for (const [self, node] of nodes.entries()) node.write('/ctdb-status', statusText(self, connected));
  };
  connect(true);
  const give = (node: RehearsalNode, given: readonly string[]) =>
    node.write(
      '/addresses.json',
      JSON.stringify(given.map((local) => ({ ifname: 'eth0', addr_info: [{ local, prefixlen: 24 }] }))),
    );
  return { ...site, shared, nodes, give, connect };
}

/** As ctdb 4.17 prints it. */
export function statusText(self: number, connected: boolean): string {
  const row = (pnn: number) =>
    `|${pnn}|10.0.0.${pnn + 1}|${pnn === self || connected ? 0 : 1}|0|0|0|0|0|0|0|${pnn === self ? 'Y' : 'N'}|`;
  return [
    '|Node|IP|Disconnected|Unknown|Banned|Disabled|Unhealthy|Stopped|Inactive|PartiallyOnline|ThisNode|',
    row(0),
    row(1),
    '',
  ].join('\n');
}

function configText(node: string, timeouts: string): string {
  const ip = (address: string) => `
[[floating_ip]]
address = "${address}/24"
interface = "eth0"
managed_by_others = ["address"]
state_directory = "/shared_storage"
`;
  return `node = "${node}"

[lock_manager]
driver = "lockd"
restart = ["start-nfsd"]

[timeouts]
${timeouts}

[[shared_filesystem]]
fsid = 7
mountpoint = "/srv/vol"
nodes = ["A", "B"]
${addresses.map(ip).join('')}`;
}
