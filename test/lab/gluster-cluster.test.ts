// GlusterFS on both servers, exported by NFS-Ganesha on both: an address that is moved by hand, goes home when Pacemaker is told of it, and goes on
// when its node dies, with its client's lock, which a rival tries to get through the other address all the while.
import type { ExecutionContext } from 'ava';
import { Cluster, clusterCommands } from './cluster/cluster.js';
import { lastTakeover, lookLessOften, resourceOf } from './cluster/ours.js';
import { glusterCommands, volume } from './gluster/gluster.js';
import {
  inGraceSince,
  lockThroughBoth,
  mountRecords,
  openTry,
  prepareShared,
  rivalPause,
  sharedAddresses,
  untilHeldBy,
  watchCalls,
} from './gluster/shared.js';
import type { Lab } from './lab.js';
import { startRivalLoop } from './rival-loop.js';
import { dataFile, file, logSteps, patientSeconds, scenario } from './scenario.js';
import type { Server } from './server.js';
import { nlmFailover } from './site.js';

scenario(
  'pacemaker: NFS-Ganesha on GlusterFS: an address moves and comes home, stays where nobody fences, and outlives its node',
  async (t, lab) => {
    const { a, b, c } = lab;
    const servers = [a, b];
    const [moving, staying] = sharedAddresses(lab);
    const ip = { address: moving, filesystems: [] };
    const resource = resourceOf(ip);
    const cluster = new Cluster(lab);
    // The record on the node that stays: where both have a brick for it, as in gluster-moves.test.ts, a takeover costs them three times as much.
    const [gluster] = await Promise.all([prepareShared(lab, b), cluster.start()]);
    await mountRecords(t, servers, gluster);
    // As the unit nlm-failover-join-grace does on each node.
    const [, watching] = await Promise.all(servers.map(watchCalls));
    await Promise.all([nlmFailover(a, ['takeover', moving]), nlmFailover(b, ['takeover', staying])]);

    const { holder, rival, lock } = await lockThroughBoth(lab);
    const loop = await startRivalLoop(rival, file, rivalPause);
    logSteps(t, 'release on A', await nlmFailover(a, ['release', moving]));
    logSteps(t, 'takeover on B', await nlmFailover(b, ['takeover', moving]));
    await untilHeldBy(gluster, lab, b, ['B', 'B']);
    t.is((await nlmFailover(a, ['takeover', moving], false)).exitCode, 4, 'B has not released it');
    await setUp(t, lab, cluster);
    await untilHeldBy(gluster, lab, a, ['A', 'B']);
    t.is(await cluster.nodeOf(b, resource), 'A', 'home');
    // The release that let it go froze the record of B's own address for a while.
    t.notRegex(await cluster.sight(b), /Failed Resource Actions/);

    const { startedAt } = await lastTakeover(a, ip);
    await fencing(a, false);
    await a.run(killClusterManager);
    await cluster.untilSeen(b, `${resource} start on B`);
    t.regex(
      await cluster.sight(b),
      /node A owns .* that it is down is not proved: fencing is off in the cluster/,
    );
    t.false((await b.run(['ip', '-oneline', 'address'])).stdout.includes(` ${moving}/`));
    t.deepEqual((await gluster.brickLocks(b, volume)).map(({ host }) => host).toSorted(), ['A', 'B']);
    await cluster.startOn(a);
    await fencing(a, true);
    await a.run(['crm_resource', '--cleanup'], { timeoutSeconds: 180 });
    await cluster.untilQuiet(b);
    t.is(await cluster.nodeOf(b, resource), 'A', 'stayed');
    await untilHeldBy(gluster, lab, a, ['A', 'B']);
    t.is((await lastTakeover(a, ip)).startedAt, startedAt, 'nobody took the address over meanwhile');

    const underWay = await openTry(rival, file);
    // To the other node and the clients that is the power cut, and a call that begins then is under way in it.
    await lab.cable(a, 'down');
    const cut = Date.now();
    await underWay.begin();
    await a.powerCut();
    await untilHeldBy(gluster, lab, b, ['B', 'B']);
    const back = Date.now();
    t.false(await underWay.gotIt(), 'the call that was under way at the power cut is refused');
    await cluster.untilQuiet(b);
    const [fenced, ...more] = cluster.fenced;
    t.like(fenced, { node: 'A', by: 'B' });
    t.deepEqual(more, []);
    const { ended, fencing: proof } = await lastTakeover(b, ip);
    t.regex(proof ?? '', /A was fenced [(]off[)] by B [(]Pacemaker/u);
    const grace = await inGraceSince(b, cut);
    t.true((grace ?? Number.NaN) < ended('B-4'), 'in grace before the address is up');
    const after = (time = Number.NaN) => ((time - cut) / 1000).toFixed(1);
    t.log(
      `power cut: fenced after ${after(fenced?.answered)} s, survivor in grace after ${after(grace)} s, address moved after ${after(ended('B-4'))} s, lock back after ${after(back)} s (the originals: 6.5 s, 12.4 s, lock lost)`,
    );
    // The longer a server was away, the later a client comes back (Linux net/sunrpc/xprtsock.c, XS_TCP_MAX_REEST_TO).
    const written = 'written after';
    await holder.run('printf %s "$2" >"$1"', { args: [dataFile, written], timeoutSeconds: patientSeconds });
    t.false(await rival.tryLock(file), 'the rival is refused after the grace');
    const { tries, stolen } = await loop.stop();
    t.is(stolen, 0);
    t.log(`the rival tried ${tries} times`);
    t.is(await rival.read(dataFile), written);
    t.false(await c.clientLogHas('failed to reclaim'));

    await cluster.maintenance(b, true);
    // Nobody has B stay in grace after a release.
    watching?.kill();
    await assertBarrierCounts(t, lab, resource);
    await lock.release();
  },
  {
    commands: ['ganesha.nfsd', 'dbus-daemon', 'busctl', ...glusterCommands, ...clusterCommands],
    minutes: 40,
    megabytes: 512,
  },
);

/** Has the command tell the cluster all of it, as an administrator does, of addresses that are served; resolves when both are at home. */
async function setUp(t: ExecutionContext, lab: Lab, cluster: Cluster): Promise<void> {
  const { a, b } = lab;
  const [moving, staying] = sharedAddresses(lab);
  // Else both begin on the node that is looked at first, and one of them goes home from there.
  await Promise.all(
    [a, b].map((server) => server.run(['attrd_updater', '--name', 'nlm-failover-ganesha', '--update', '1'])),
  );
  const applied = await a.run([a.tool, 'ganesha-ha', 'setup', '--format', 'xml', '--apply'], {
    timeoutSeconds: 300,
  });
  t.log(applied.stdout);
  await lookLessOften(a);
  await cluster.untilQuiet(a, 900);
  const { stdout } = await a.run([a.tool, 'ganesha-ha', 'status', '--json'], {
    reject: false,
    timeoutSeconds: 180,
  });
  const nodes = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.log(stdout);
  t.like(
    nodes[0],
    { node: 'A', cluster: 'online', isWell: true, addresses: [moving] },
    await cluster.sight(a),
  );
  t.like(nodes[1], { node: 'B', cluster: 'online', isWell: true, addresses: [staying] });
}

async function fencing(server: Server, isOn: boolean): Promise<void> {
  await server.run(['crm_attribute', '--name', 'stonith-enabled', '--update', String(isOn)], {
    timeoutSeconds: 180,
  });
}

/** All of it dies at once, and what it has started goes on. */
const killClusterManager = `for name in corosync pacemakerd pacemaker-controld pacemaker-execd pacemaker-attrd pacemaker-fenced pacemaker-based pacemaker-schedulerd; do
    kill -KILL $(pidof "$name")
  done`;

/** The counter-proof, on B, which is left alone: where it is not in grace while the lock is nobody's, the rival gets it. */
async function assertBarrierCounts(t: ExecutionContext, lab: Lab, resource: string): Promise<void> {
  const { b, c } = lab;
  const [moving] = sharedAddresses(lab);
  // As the agent: nobody waits for A, which Pacemaker has fenced.
  await nlmFailover(b, ['release', moving, '--resource', resource]);
  const inGrace =
    'busctl --system call org.ganesha.nfsd /org/ganesha/nfsd/admin org.ganesha.nfsd.admin get_grace';
  await b.run(`while ${inGrace} | grep -q 'bbs true'; do sleep 2; done`, { timeoutSeconds: 300 });
  t.true(await c.client('rival').tryLock(file), 'nobody is in grace, and the rival gets the lock');
  await c.client('rival').lock(file);
  const unguarded = await nlmFailover(b, ['takeover', moving, '--steps', 'B-1,B-5,B-4,B-3']);
  t.true((unguarded.lines.at(-1)?.clients?.notified ?? 0) >= 1, 'the client was notified');
  await c.run('until dmesg | grep -q "failed to reclaim"; do sleep 1; done');
}
