// Scenario 2: A dies with the lock held; B takes over from the journal that A's callout made durable.
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

scenario('power cut: takeover --fenced, from the journal of the dead node', async (t, lab) => {
  const { a, b, disks, moving } = lab;
  await prepareServers(lab);
  await startAddress(a, moving);
  const locked = await lockThrough(lab, moving);
  const rivalLoop = await startRivalLoop(locked.rival, file);
  await a.powerCut();

  const refused = await nlmFailover(b, ['takeover', moving.address], false);
  t.is(refused.exitCode, 4, 'without --fenced a device that A may have mounted is left alone');
  t.false((await b.mounts()).some((mount) => mount.device === disks.vol1.device));

  const taken = await nlmFailover(b, ['takeover', moving.address, '--fenced']);
  logSteps(t, 'takeover --fenced', taken);
  t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 1);
  t.true(await reclaimed(b, disks.vol1.device));
  await assertSurvived(t, lab, locked);
  t.is((await rivalLoop.stop()).stolen, 0);
});
