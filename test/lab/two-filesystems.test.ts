// Scenario 3: two file systems with two fsids under one floating IP.
import {
  assertSurvived,
  lockThrough,
  logSteps,
  prepareServers,
  reclaimed,
  scenario,
  startAddress,
} from './scenario.js';
import { nlmFailover } from './site.js';

scenario('two fsids under one floating IP: the locks on both survive', async (t, lab) => {
  const { a, b, disks, site } = lab;
  const two = site.ip(1, [
    { disk: 'vol1', fsid: 1234 },
    { disk: 'vol2', fsid: 5678 },
  ]);
  await prepareServers(lab, [two]);
  await startAddress(a, two);
  const locked = await lockThrough(lab, two);
  const { holder, rival } = locked;
  for (const client of [holder, rival])
    await client.mount({ server: two.address, path: site.exportPath('vol2'), at: '/mnt/nfs2' });
  await holder.lock('/mnt/nfs2/file');

  const released = await nlmFailover(a, ['release', two.address]);
  logSteps(t, 'release', released);
  t.deepEqual(
    released.lines.filter((line) => line.step === 'A-3').map((line) => [line.fsid, line.state]),
    [
      ['1234', 'done'],
      ['5678', 'done'],
    ],
  );
  const taken = await nlmFailover(b, ['takeover', two.address]);
  logSteps(t, 'takeover', taken);
  t.deepEqual(
    taken.lines.filter((line) => line.step === 'B-2').map((line) => [line.fsid, line.state]),
    [
      ['1234', 'done'],
      ['5678', 'skipped'],
    ],
  );
  for (const disk of [disks.vol1, disks.vol2]) t.true(await reclaimed(b, disk.device));
  t.is((await b.nfsLocks(disks.vol2.device)).length, 1);
  await b.endGrace();
  t.false(await rival.tryLock('/mnt/nfs2/file'));
  await assertSurvived(t, lab, locked);
});
