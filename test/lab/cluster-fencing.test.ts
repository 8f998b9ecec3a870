// Pacemaker, one resource for each address (lockd-netns): the other node takes over by itself, once a node is fenced.
import type { ExecutionContext } from 'ava';
import { Cluster, clusterCommands } from './cluster/cluster.js';
import { lastTakeover, resourceOf, startAddressesOnA } from './cluster/ours.js';
import type { Lab } from './lab.js';
import { startRivalLoop } from './rival-loop.js';
import { type Locked, lockThrough, file, dataFile, prepareServer, scenario } from './scenario.js';
import type { Server } from './server.js';
import { nlmFailover, stateDisk } from './site.js';

interface Seen {
  readonly lab: Lab;
  readonly cluster: Cluster;
  readonly locked: Locked;
}

/**
 * Something happens to a node: it is fenced, and nobody else; the other one serves, with the lock, and had nothing mounted before
 * the node was dark.
 */
async function assertTakenOver(
  t: ExecutionContext,
  { lab, cluster, locked }: Seen,
  what: string,
  node: Server,
  happens: () => Promise<void>,
): Promise<void> {
  const { a, b, c, disks, moving } = lab;
  const other = node === a ? b : a;
  const before = cluster.fenced.length;
  const begun = Date.now();
  await happens();
  await cluster.untilLocked(other, disks.vol1.device);
  const back = Date.now();
  // Else the start waits for the whole of it: nobody knows what was locked.
  await other.endGrace(locked.address);
  const [fenced, ...more] = cluster.fenced.slice(before);
  if (fenced === undefined) throw new Error(`${what}: nobody was fenced`);
  t.like(fenced, { node: node.name, by: other.name });
  t.deepEqual(more, []);
  t.false(node.isOn);
  const ofLab = new Set(Object.values(disks).map(({ device }) => device));
  t.deepEqual(
    fenced.mounted.filter((device) => ofLab.has(device)),
    [],
    `${what}: nothing is mounted twice`,
  );
  await cluster.untilQuiet(other);
  const takeover = await lastTakeover(other, moving);
  t.regex(
    takeover.fencing ?? '',
    new RegExp(`${node.name} was fenced [(]off[)] by ${other.name} [(]Pacemaker`, 'u'),
  );
  const [up, known] = [takeover.ended('B-4'), takeover.ended('B-3')];
  const times = {
    'asked for': [begun, fenced.asked],
    dark: [fenced.asked, fenced.answered],
    // With multiple mount protection 22 s.
    'state volume mounted, address claimed': [fenced.answered, takeover.began],
    'volume mounted': [takeover.began, Math.max(takeover.began, takeover.ended('B-1'))],
    'in grace, exported, address up': [takeover.ended('B-1'), up],
    notified: [up, known],
    'lock back': [known, back],
    'in all': [begun, back],
  } as const;
  const split = Object.entries(times).map(
    ([name, [from, to]]) => `${name} ${((to - from) / 1000).toFixed(1)} s`,
  );
  t.log(`${what}: ${split.join(', ')}`);
  t.false(await locked.rival.tryLock(file), what);
  t.is(await locked.holder.read(dataFile), 'written before');
  t.false(await c.clientLogHas('failed to reclaim'), what);
}

scenario(
  'pacemaker: a node that dies, one that cannot stop and one that is cut off are fenced, and the lock is kept',
  async (t, lab) => {
    const { a, b, c, disks, moving, site } = lab;
    // The link is a veth into a bridge.
    const options = { driver: 'lockd-netns', failback: true, link: 'veth' } as const;
    const cluster = new Cluster(lab);
    await startAddressesOnA(lab, cluster, [moving], options);
    const locked = await lockThrough(lab, moving);
    // Seen on btrfs: a file that a client has just created is gone after a power cut, and its lock with it ("failed to reclaim", status 7:
    // NLM_STALE_FH), until the file system has written by itself.
    await a.run(['sync']);
    const rivals = await startRivalLoop(locked.rival, file);
    const comeBack = async (server: Server) => {
      await server.boot();
      await prepareServer(lab, server, [moving], options);
      await cluster.startOn(server);
    };

    // Who says --fenced of a node that is alive: the disk says no, and who has it.
    const refused = await nlmFailover(b, ['takeover', moving.address, '--fenced'], false);
    t.is(refused.exitCode, 4, refused.stdout + refused.stderr);
    t.regex(refused.stdout, /"DEVICE_IN_USE".*is mounted on A, and its file system refuses a second mount/);
    const volumes: readonly string[] = [disks[stateDisk(moving)].device, disks.vol1.device];
    t.false((await b.mounts()).some(({ device }) => volumes.includes(device)));
    // A half-built instance, as a takeover leaves it that is killed in the middle of B-2.
    await b.run(`ip netns add nfs-${moving.address}
      ip link add link br0 name leftover type macvlan mode bridge
      ip link set leftover netns nfs-${moving.address} name nfs0
      ip netns exec nfs-${moving.address} sleep 600 >/dev/null 2>&1 &
      mkdir -p /run/nlm-failover/instances/${moving.address}`);

    const seen = { lab, cluster, locked };
    await assertTakenOver(t, seen, 'power cut', a, () => a.powerCut());
    const cleared = (await lastTakeover(b, moving)).steps.map(({ detail }) => detail).join('\n');
    t.regex(cleared, /cleared what was left of an earlier instance/);
    t.is((await b.run('ps -eo args | grep -c "[s]leep 600"', { reject: false })).stdout, '0\n');
    await comeBack(a);
    await assertTakenOver(t, seen, 'a stop that cannot unmount', b, async () => {
      // Somebody's shell stands in the volume. A-4 need not try for long.
      await b.run('cd "$1" && sleep infinity >/dev/null 2>&1 &', { args: [site.mountpoint('vol1')] });
      await b.run("sed -i 's/^busy = .*/busy = 3/' /etc/nlm-failover.toml");
      await cluster.move(a, resourceOf(moving), a);
    });
    await comeBack(b);
    await assertTakenOver(t, seen, 'links cut', a, () => lab.cable(a, 'down'));

    const { tries, stolen } = await rivals.stop();
    t.is(stolen, 0);
    t.log(`the rival tried ${tries} times`);
    await locked.lock.release();
    t.true(await locked.rival.tryLock(file), 'once it is free the rival gets it');
    t.false(await c.clientLogHas('failed to reclaim'));
  },
  { commands: clusterCommands, minutes: 20 },
);
