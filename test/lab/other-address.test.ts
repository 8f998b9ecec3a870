// Scenario 4: B serves another floating IP all along; its client keeps its lock across B's lock manager restart.
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
  'another floating IP of the taking node: its client is notified and keeps its lock',
  async (t, lab) => {
    const { a, b, c, disks, moving, site } = lab;
    const staying = site.ip(2, [{ disk: 'vol3', fsid: 3 }]);
    await prepareServers(lab, [moving, staying]);
    await startAddress(b, staying);
    const other = c.client('other');
    await other.mount({ server: staying.address, path: site.exportPath('vol3') });
    const theirs = await other.lock('/mnt/nfs/theirs');
    await startAddress(a, moving);
    const locked = await lockThrough(lab, moving);
    const { rival } = locked;
    await rival.mount({ server: staying.address, path: site.exportPath('vol3'), at: '/mnt/other' });

    await nlmFailover(a, ['release', moving.address]);
    const taken = await nlmFailover(b, ['takeover', moving.address]);
    logSteps(t, 'takeover', taken);
    t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 2, 'the clients of both addresses were notified');
    t.true(await reclaimed(b, disks.vol3.device), 'the other client reclaimed');
    t.true(await reclaimed(b, disks.vol1.device));
    await b.endGrace();
    t.false(await rival.tryLock('/mnt/other/theirs'), "the rival did not get the other client's lock");
    await assertSurvived(t, lab, locked);
    // One lock each, and not a second one that the old lock manager left behind.
    await theirs.release();
    await locked.lock.release();
    t.deepEqual(await b.nfsLocks(), []);
    t.true(await rival.tryLock('/mnt/other/theirs'));
  },
);
