// GlusterFS on both servers, exported by NFS-Ganesha on both: an address that moves there and back, and whose node dies, with a lock that a rival
// tries to get through the other address all the while. Only in the full run.
import { lastTakeover } from './cluster/ours.js';
import { glusterCommands } from './gluster/gluster.js';
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
import { startRivalLoop } from './rival-loop.js';
import { dataFile, file, logSteps, scenario } from './scenario.js';
import { nlmFailover } from './site.js';

scenario(
  'GlusterFS: two addresses of NFS-Ganesha on both servers; one moves there and back, then its node dies',
  async (t, lab) => {
    const { a, b, c } = lab;
    const servers = [a, b];
    const [moving, staying] = sharedAddresses(lab);
    const gluster = await prepareShared(lab);
    await mountRecords(t, servers, gluster);

    const [, watching] = await Promise.all(servers.map(watchCalls));
    await Promise.all([nlmFailover(a, ['takeover', moving]), nlmFailover(b, ['takeover', staying])]);
    const { holder, rival, lock } = await lockThroughBoth(lab);
    const moveLoop = await startRivalLoop(rival, file, rivalPause);

    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      logSteps(t, `release on ${from.name}`, await nlmFailover(from, ['release', moving]));
      logSteps(t, `takeover on ${to.name}`, await nlmFailover(to, ['takeover', moving]));
      await untilHeldBy(gluster, lab, to, [to.name, b.name]);
    }

    t.like(await moveLoop.stop(), { stolen: 0 }, 'in the planned moves');
    const rivalLoop = await startRivalLoop(rival, file, rivalPause);
    const refused = await nlmFailover(b, ['takeover', moving], false);
    t.is(refused.exitCode, 4, refused.stdout + refused.stderr);
    t.false(await rival.tryLock(file), 'the rival is refused after the grace');
    const underWay = await openTry(rival, file);
    // To the other node and the clients that is the power cut, and a call that begins then is under way in it.
    await lab.cable(a, 'down');
    const cut = Date.now();
    await underWay.begin();
    await a.powerCut();
    const taken = await nlmFailover(b, ['takeover', moving, '--fenced']);
    logSteps(t, 'takeover --fenced on B', taken);
    await untilHeldBy(gluster, lab, b, ['B', 'B']);
    const back = Date.now();
    t.false(await underWay.gotIt(), 'the call that was under way at the power cut is refused');
    await holder.write(dataFile, 'written after');
    const { ended } = await lastTakeover(b, { address: moving, filesystems: [] });
    const after = (time = Number.NaN) => ((time - cut) / 1000).toFixed(1);
    t.log(
      `power cut: survivor in grace after ${after(await inGraceSince(b, cut))} s, address moved after ${after(ended('B-4'))} s, lock back after ${after(back)} s (the originals: 6.5 s, 12.4 s, lock lost)`,
    );
    t.false(await rival.tryLock(file), 'the rival is refused after the grace');
    const { tries, stolen } = await rivalLoop.stop();
    t.is(stolen, 0);
    t.log(`the rival tried ${tries} times`);
    t.is(await rival.read(dataFile), 'written after');
    t.false(await c.clientLogHas('failed to reclaim'));
    await lock.release();
    t.true(await rival.tryLock(file), 'once it is free the rival gets it');
    watching?.kill();
  },
  { commands: ['ganesha.nfsd', 'dbus-daemon', 'busctl', ...glusterCommands], minutes: 15 },
);
