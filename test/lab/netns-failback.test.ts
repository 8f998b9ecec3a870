// lockd-netns: A -> B -> A -> B ..., with one lock held throughout and a rival trying throughout.
import { startRivalLoop } from './rival-loop.js';
import {
  assertSurvived,
  file,
  lockThrough,
  prepareServers,
  reclaimed,
  scenario,
  startAddress,
} from './scenario.js';
import { nlmFailover } from './site.js';

// The full run, not part of a plain npm test: LAB_FAILOVERS=20 npm test -- lab
const failovers = Number(process.env['LAB_FAILOVERS'] ?? 2);

scenario('lockd-netns: failovers there and back', async (t, lab) => {
  const { a, b, disks, moving } = lab;
  await prepareServers(lab, [moving], { driver: 'lockd-netns', failback: true });
  await startAddress(a, moving);
  const locked = await lockThrough(lab, moving);
  const rivalLoop = await startRivalLoop(locked.rival, file);
  for (let number = 1; number <= failovers; number += 1) {
    const [from, to] = number % 2 === 1 ? [a, b] : [b, a];
    await nlmFailover(from, ['release', moving.address]);
    const taken = await nlmFailover(to, ['takeover', moving.address]);
    t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 1, `failover ${number}: notified`);
    t.true(await reclaimed(to, disks.vol1.device), `failover ${number}: reclaimed`);
    t.deepEqual(await from.nfsLocks(), []);
    t.false(await lab.c.clientLogHas('failed to reclaim'), `failover ${number}`);
  }
  const { stolen, tries } = await rivalLoop.stop();
  t.is(stolen, 0);
  t.log(`${failovers} failovers; the rival tried ${tries} times`);
  if (failovers % 2 === 1) await assertSurvived(t, lab, locked);
  else {
    await a.endGrace(moving.address);
    t.false(await locked.rival.tryLock(file));
  }
});
