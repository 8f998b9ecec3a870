// Pacemaker, an address as a group: the stock agents Filesystem, exportfs and IPaddr2, with ours between them (driver lockd).
import { Cluster, clusterCommands } from './cluster/cluster.js';
import { resourceOf, startAddressesOnA } from './cluster/ours.js';
import { startRivalLoop } from './rival-loop.js';
import { dataFile, file, lockThrough, scenario } from './scenario.js';

scenario(
  'pacemaker: a group of stock agents with ours between them moves, and is taken over from a dead node',
  async (t, lab) => {
    const { a, b, c, disks, moving } = lab;
    const cluster = new Cluster(lab);
    await startAddressesOnA(lab, cluster, [moving], { driver: 'lockd', managedByOthers: true });
    const locked = await lockThrough(lab, moving);
    const rivals = await startRivalLoop(locked.rival, file);
    const group = resourceOf(moving);

    await cluster.move(a, group, b);
    await cluster.untilLocked(b, disks.vol1.device);
    await cluster.untilQuiet(b);
    t.deepEqual(await a.nfsLocks(), []);
    const ofLab = new Set(Object.values(disks).map(({ device }) => device));
    t.false((await a.mounts()).some(({ device }) => ofLab.has(device)));
    t.false(await c.clientLogHas('failed to reclaim'));
    await cluster.stay(b, group);

    await b.run(['sync']); // as in cluster-fencing
    await b.powerCut();
    await cluster.untilLocked(a, disks.vol1.device);
    await cluster.untilQuiet(a);
    t.deepEqual(
      cluster.fenced.map(({ node, by }) => `${node} by ${by}`),
      ['B by A'],
    );
    await a.endGrace();
    t.false(await locked.rival.tryLock(file), 'the rival is refused after the failover');
    t.false(await c.clientLogHas('failed to reclaim'));
    t.is(await locked.holder.read(dataFile), 'written before');
    t.is((await rivals.stop()).stolen, 0);
  },
  { commands: clusterCommands, minutes: 20 },
);
