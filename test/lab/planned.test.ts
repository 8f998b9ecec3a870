// Scenarios 1 and 6: a planned failover with the driver lockd, and the proof that it could fail.
import { forge } from './forge.js';
import { startRivalLoop } from './rival-loop.js';
import {
  assertSurvived,
  file,
  lockThrough,
  logSteps,
  prepareServers,
  reclaimed,
  scenario,
  startAddress,
} from './scenario.js';
import { nlmFailover } from './site.js';

scenario('planned failover: the client keeps its lock and the rival never gets it', async (t, lab) => {
  const { a, b, c, disks, moving } = lab;
  // The one scenario of this driver in which a grace ends by itself.
  await prepareServers(lab, [moving], { graceSeconds: 30 });
  await startAddress(a, moving);
  const locked = await lockThrough(lab, moving);
  t.is((await a.nfsLocks(disks.vol1.device)).length, 1);
  t.false(await locked.rival.tryLock(file), 'the rival is refused before the failover');
  // Whoever a client says it is: the state volume is no place that it gets to.
  t.deepEqual(await forge(lab, moving, locked), { reached: '', isRecorded: true });
  const rivalLoop = await startRivalLoop(locked.rival, file);

  // As by a cluster manager that takes away and makes other exports at the same time: the kernel takes nothing out for some seconds.
  await a.run('for _ in 1 2 3 4 5; do exportfs -f; done');
  await locked.holder.run(['stat', file]);
  const released = await nlmFailover(a, ['release', moving.address]);
  logSteps(t, 'release', released);
  t.deepEqual(
    released.lines.map((line) => line.step ?? line.result),
    ['A-1', 'A-2', 'A-3', 'A-4', 'done'],
  );
  t.deepEqual(await a.nfsLocks(), []);
  for (const disk of [disks.vol1, disks.state1])
    t.false((await a.mounts()).some((mount) => mount.device === disk.device));

  const taken = await nlmFailover(b, ['takeover', moving.address]);
  logSteps(t, 'takeover', taken);
  t.deepEqual(
    taken.lines.map((line) => line.step ?? line.result),
    ['B-1', 'B-2', 'B-5', 'B-4', 'B-3', 'done'],
  );
  t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 1);
  t.true(await reclaimed(b, disks.vol1.device));
  t.false(await locked.rival.tryLock(file), 'the rival is refused when the grace has ended by itself');
  await assertSurvived(t, lab, locked);
  const { tries, stolen } = await rivalLoop.stop();
  t.is(stolen, 0);
  t.true(tries > 0);
  t.log(`the rival tried ${tries} times`);

  // Run twice, both do nothing more, and the lock stays where it is.
  const again = await nlmFailover(b, ['takeover', moving.address]);
  t.deepEqual(
    again.lines.map((line) => line.state ?? line.result),
    ['skipped', 'skipped', 'skipped', 'skipped', 'skipped', 'done'],
  );
  const releasedAgain = await nlmFailover(a, ['release', moving.address]);
  t.true(releasedAgain.lines.slice(0, -1).every((line) => line.state === 'skipped'));
  await assertSurvived(t, lab, locked);
  await locked.lock.release();
  t.deepEqual(await b.nfsLocks(), []);
  t.true(await locked.rival.tryLock(file), 'once it is free the rival gets it');
  t.false(await c.clientLogHas('failed to reclaim'));
});

scenario('counter-proof: without B-2 the reclaim fails and the rival gets the lock', async (t, lab) => {
  const { a, b, c, moving } = lab;
  await prepareServers(lab);
  await startAddress(a, moving);
  const { rival } = await lockThrough(lab, moving);
  await nlmFailover(a, ['release', moving.address]);
  const taken = await nlmFailover(b, ['takeover', moving.address, '--steps', 'B-1,B-5,B-4,B-3']);
  t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 1, 'the client was notified');
  t.true(await rival.tryLock(file), 'nobody is in grace, so the rival steals the lock');
  t.true(await c.clientLogHas('failed to reclaim'));
});
