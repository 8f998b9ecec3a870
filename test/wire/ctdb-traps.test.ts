// What CTDB does to events, and to the addresses of a node without them, by the real ctdbd of two nodes: each trap, and what is so afterwards.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import ava, { type ExecutionContext } from 'ava';
import { isInstalled } from '../../src/host/running/command.js';
import { servingJournal } from '../../src/rundir/serving.js';
import { addresses, ctdbSite } from '../ctdb/helpers/ctdb-site.js';
import { withNetns } from '../helpers/netns.js';
import { owner, runOf, startCtdb } from './ctdb-cluster.js';
import { netnsTest as test } from './netns-test.js';
import { waitFor } from './wait-for.js';

const [moving, staying] = addresses;
/** Of ctdb-tunables(7), in seconds: all that is waited for. */
const tunables = `MonitorInterval=2
EventScriptTimeout=5
KeepaliveInterval=1
KeepaliveLimit=4
RecoveryBanPeriod=10
`;

/** By its path: others have programs of that name (node_modules/.bin). */
const nft = '/usr/sbin/nft';
/** With what it has started: a recovery daemon that outlives it keeps the cluster lock. */
const killAll = `of() { echo $1; for c in $(cat /proc/$1/task/$1/children 2>/dev/null); do of $c; done; }
  kill -9 $(of $(cat "$1"))`;

const missing = ['ctdb', 'ctdbd', nft].filter((name) => !isInstalled(name));

function trap(title: string, run: (t: ExecutionContext) => Promise<void>): void {
  if (missing.length > 0) ava.serial.skip(`${title} (not installed: ${missing.join(', ')})`, () => undefined);
  else test(title, run);
}

async function cluster(t: ExecutionContext) {
  const site = ctdbSite(t, 1);
  t.timeout(600_000);
  const netns = await withNetns(t);
  const { ctdb, base, ...rest } = startCtdb(netns, site, tunables);
  await rest.healthy();
  const settled = async () => {
    for (const address of addresses) await rest.recordedWhereItIs(address);
    await rest.endGraces();
  };
  await settled();
  /** The number of the node that has an address, and of the other one. */
  const places = async (address: string): Promise<readonly [from: number, to: number]> => {
    const node = await rest.has(address);
    const from = node === undefined ? -1 : site.nodes.indexOf(node);
    if (from === -1) throw new Error(`CTDB has ${address} on no node`);
    return [from, 1 - from];
  };
  return { site, netns, ctdb, base, ...rest, settled, places };
}

trap(
  'a takeip that fails, or hangs, and is not repeated; a releaseip that hangs and ends when the address has come back',
  async (t) => {
    const { ctdb, base, places, settled, site } = await cluster(t);
    const set = (node: number, event: string, how: string) =>
      writeFileSync(path.join(base(node), `trap.${event}`), how);
    const wasTaken = (node: number, event: string) =>
      existsSync(path.join(base(node), `trap.${event}.taken`));
    const move = async () => {
      const [, to] = await places(moving);
      await ctdb(to, 'moveip', moving, String(to));
    };
    for (const [event, how] of [
      ['takeip', 'fail'],
      ['takeip', 'hang'],
      ['releaseip', 'hang'],
    ] as const) {
      for (const node of site.nodes.keys())
        rmSync(path.join(base(node), `trap.${event}.taken`), { force: true });
      // A move that CTDB does not make, as on a busy machine, is told again.
      await waitFor(
        `a ${event} that is to ${how}`,
        async () => {
          const [from, to] = await places(moving);
          const node = event === 'takeip' ? to : from;
          set(node, event, how);
          await move();
          for (let left = 100; left > 0 && !wasTaken(node, event); left -= 1) await pause(100);
          rmSync(path.join(base(node), `trap.${event}`), { force: true });
          return wasTaken(node, event);
        },
        500,
      );
      await settled();
    }
    // It goes where it was; only then what hung there comes to its end.
    await move();
    await settled();
    for (const node of site.nodes.keys()) writeFileSync(path.join(base(node), 'go'), '');
    await settled();
    t.pass();
  },
);

trap(
  'ctdbd killed, or shut down without a releaseip: its node keeps the address, and the record is that of the other one',
  async (t) => {
    const { ctdb, base, start, healthy, places, settled, site, netns } = await cluster(t);
    for (const how of ['kill', 'shutdown']) {
      const [gone, left] = await places(moving);
      const [node, other] = [site.nodes[gone], site.nodes[left]];
      if (node === undefined || other === undefined) throw new Error('no such node');
      const kept = node.read('/addresses.json');
      const status = node.read('/ctdb-status');
      node.remove('/ctdb-status');
      if (how === 'kill') await netns.run('sh', '-c', killAll, 'sh', path.join(base(gone), 'run/ctdbd.pid'));
      else await ctdb(gone, 'shutdown');
      // As 10.interface leaves it then.
      node.write('/addresses.json', kept);
      for (const address of addresses)
        await waitFor(
          `${address} to be ${other.name}'s after ${how}`,
          async () =>
            owner(site, address) === other.name && servingJournal(runOf(other), address) !== undefined,
          500,
        );
      for (const one of site.nodes) one.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
      const monitor = await node.tool(['ctdb', 'monitor']);
      t.regex(monitor.stdout, /CTDB does not answer/, how);

      node.write('/ctdb-status', status);
      start(gone);
      await healthy();
      await settled();
    }
  },
);

trap(
  'a partition: each side does what it can; healed, an address that came back without a takeip is recorded where it is',
  async (t) => {
    const { ctdb, healthy, settled, site, netns } = await cluster(t);
    await netns.run(
      nft,
      'add table ip parted { chain in { type filter hook input priority 0; tcp dport 4379 drop; tcp sport 4379 drop; }; }',
    );
    site.connect(false);
    await waitFor(
      'each to miss the other',
      async () => {
        const all = await Promise.all([0, 1].map((node) => ctdb(node, 'status')));
        return all.every((text) => text.includes('DISCONNECTED'));
      },
      500,
    );
    // Whoever has the cluster lock has them all.
    await waitFor(
      'both addresses to be on one side',
      async () =>
        site.nodes.some((one) =>
          addresses.every(
            (address) =>
              owner(site, address) === one.name && servingJournal(runOf(one), address) !== undefined,
          ),
        ),
      500,
    );
    await netns.run(nft, 'delete', 'table', 'ip', 'parted');
    site.connect(true);
    await healthy();
    await settled();
    t.true([moving, staying].every((address) => owner(site, address) !== undefined));
  },
);
