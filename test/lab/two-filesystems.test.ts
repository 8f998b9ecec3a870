// Scenarios 3 and 4: two file systems with two fsids under one floating IP, which moves to a node that serves another floating IP all along; the
// client of that one keeps its lock across the new start of the node's lock manager.
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

scenario(
  'two fsids under one floating IP, and another floating IP of the taking node: the locks on all survive',
  async (t, lab) => {
    const { a, b, c, disks, site } = lab;
    const two = site.ip(1, [
      { disk: 'vol1', fsid: 1234 },
      { disk: 'vol2', fsid: 5678 },
    ]);
    const staying = site.ip(2, [{ disk: 'vol3', fsid: 3 }]);
    await prepareServers(lab, [two, staying]);
    await startAddress(b, staying);
    const other = c.client('other');
    await other.mount({ server: staying.address, path: site.exportPath('vol3') });
    const theirs = await other.lock('/mnt/nfs/theirs');
    await startAddress(a, two);
    const locked = await lockThrough(lab, two);
    const { holder, rival } = locked;
    for (const client of [holder, rival])
      await client.mount({ server: two.address, path: site.exportPath('vol2'), at: '/mnt/nfs2' });
    const lockOnSecond = await holder.lock('/mnt/nfs2/file');
    await rival.mount({ server: staying.address, path: site.exportPath('vol3'), at: '/mnt/other' });

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
    t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 2, 'the clients of both addresses were notified');
    t.true(await reclaimed(b, disks.vol3.device), 'the other client reclaimed');
    for (const disk of [disks.vol1, disks.vol2]) t.true(await reclaimed(b, disk.device));
    t.is((await b.nfsLocks(disks.vol2.device)).length, 1);
    await b.endGrace();
    t.false(await rival.tryLock('/mnt/nfs2/file'));
    t.false(await rival.tryLock('/mnt/other/theirs'), "the rival did not get the other client's lock");
    await assertSurvived(t, lab, locked);
    // One lock each, and not a second one that the old lock manager left behind.
    await theirs.release();
    await locked.lock.release();
    await lockOnSecond.release();
    t.deepEqual(await b.nfsLocks(), []);
    t.true(await rival.tryLock('/mnt/other/theirs'));
  },
);
