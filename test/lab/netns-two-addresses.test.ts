// lockd-netns: two floating IPs at once, in opposite directions, with the same client on both.
import { file, logSteps, prepareServers, reclaimed, scenario, startAddress } from './scenario.js';
import { nlmFailover, type SiteIp } from './site.js';

const secondFile = '/mnt/second/file';

scenario(
  'lockd-netns: two addresses of one client; one moves alone, then both in opposite directions',
  async (t, lab) => {
    const { a, b, c, disks, moving, site } = lab;
    const second = site.ip(2, [{ disk: 'vol2', fsid: 2 }]);
    await prepareServers(lab, [moving, second], { driver: 'lockd-netns', failback: true });
    await startAddress(a, moving);
    await startAddress(a, second);
    const holder = c.client('holder');
    const rival = c.client('rival');
    await Promise.all(
      [holder, rival].map(async (client) => {
        await client.mount({ server: moving.address, path: site.exportPath('vol1') });
        await client.mount({ server: second.address, path: site.exportPath('vol2'), at: '/mnt/second' });
      }),
    );
    await holder.lock(file);
    await holder.lock(secondFile);
    t.is((await a.nfsLocks()).length, 2);

    await nlmFailover(a, ['release', moving.address]);
    t.is(
      (await a.nfsLocks(disks.vol2.device)).length,
      1,
      'the lock through the address that stays is untouched',
    );
    const taken = await nlmFailover(b, ['takeover', moving.address]);
    t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 1);
    t.true(await reclaimed(b, disks.vol1.device));
    t.is((await a.nfsLocks(disks.vol2.device)).length, 1);

    const move = async (from: typeof a, to: typeof b, { address }: SiteIp) => {
      logSteps(t, `${address} released`, await nlmFailover(from, ['release', address]));
      logSteps(t, `${address} taken over`, await nlmFailover(to, ['takeover', address]));
    };
    await Promise.all([move(b, a, moving), move(a, b, second)]);
    t.true(await reclaimed(a, disks.vol1.device));
    t.true(await reclaimed(b, disks.vol2.device));
    await Promise.all([a.endGrace(moving.address), b.endGrace(second.address)]);
    t.false(await rival.tryLock(file));
    t.false(await rival.tryLock(secondFile));
    t.false(await c.clientLogHas('failed to reclaim'));
  },
);
