// NFS-Ganesha on both servers: planned moves there and back, its death, that of the node; a lock is held, and a rival tries all the while.
import { startRivalLoop } from './rival-loop.js';
import { dataFile, file, lockThrough, logSteps, prepareServers, reclaimed, scenario } from './scenario.js';
import { nlmFailover } from './site.js';
import type { Server } from './server.js';

const commands = ['ganesha.nfsd', 'dbus-daemon', 'busctl'];
/** Nobody can end this grace: clients are notified and reclaim in it, at the end of a takeover on a busy machine. */
const graceSeconds = 30;
/** The full run: LAB_FAILOVERS=20 npm test -- lab */
const failovers = Number(process.env['LAB_FAILOVERS'] ?? 2);

async function isInGrace(server: Server): Promise<boolean> {
  const words =
    'busctl --system call org.ganesha.nfsd /org/ganesha/nfsd/admin org.ganesha.nfsd.admin get_grace';
  return (await server.run(words.split(' '))).stdout.startsWith('bbs true');
}

scenario(
  'ganesha: one of two addresses moves there and back, and without B-2 the rival gets the lock',
  async (t, lab) => {
    const { a, b, c, disks, moving, site } = lab;
    const staying = site.ip(2, [{ disk: 'vol2', fsid: 2 }]);
    await prepareServers(lab, [moving, staying], { driver: 'ganesha', graceSeconds });
    for (const { address } of [staying, moving]) await nlmFailover(a, ['takeover', address]);
    const { holder, rival } = await lockThrough(lab, moving);
    await holder.mount({ server: staying.address, path: site.exportPath('vol2'), at: '/mnt/other' });
    await holder.lock('/mnt/other/file');
    t.false(await rival.tryLock(file), 'the rival is refused before the failover');
    const rivalLoop = await startRivalLoop(rival, file);

    for (let number = 1; number <= failovers; number += 1) {
      const [from, to] = number % 2 === 1 ? [a, b] : [b, a];
      const released = await nlmFailover(from, ['release', moving.address]);
      if (number === 1) {
        logSteps(t, 'release', released);
        t.regex(released.stdout, /1 lock held/);
        t.false(await isInGrace(a), 'a release puts nobody into grace');
      }
      t.deepEqual(await from.nfsLocks(disks.vol1.device), []);
      const taken = await nlmFailover(to, ['takeover', moving.address]);
      logSteps(t, `takeover ${number}`, taken);
      t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 1, `failover ${number}: notified`);
      t.true(await reclaimed(to, disks.vol1.device), `failover ${number}: reclaimed`);
      t.is((await a.nfsLocks(disks.vol2.device)).length, 1, 'the lock through the other address stays');
    }
    t.false(await rival.tryLock(file), 'the rival is refused after the grace');
    const { stolen, tries } = await rivalLoop.stop();
    t.is(stolen, 0);
    t.log(`${failovers} failovers; the rival tried ${tries} times`);
    t.false(await c.clientLogHas('failed to reclaim'));
    t.is(await holder.read(dataFile), 'written before');

    const [last, next] = failovers % 2 === 1 ? [b, a] : [a, b];
    await nlmFailover(last, ['release', moving.address]);
    const unguarded = await nlmFailover(next, ['takeover', moving.address, '--steps', 'B-1,B-5,B-4,B-3']);
    t.true((unguarded.lines.at(-1)?.clients?.notified ?? 0) >= 1, 'the client was notified');
    t.true(await rival.tryLock(file), 'nobody is in grace, so the rival steals the lock');
    t.true(await c.clientLogHas('failed to reclaim'));
    t.is((await a.nfsLocks(disks.vol2.device)).length, 1, 'the lock through the other address stays');
  },
  { commands },
);

scenario(
  'ganesha: an IPv6 address, NFS-Ganesha killed, then a power cut',
  async (t, lab) => {
    const { a, b, c, disks, moving } = lab;
    await prepareServers(lab, [moving], { driver: 'ganesha', graceSeconds });
    await nlmFailover(a, ['takeover', moving.address]);
    const { holder, rival } = await lockThrough(lab, moving);
    const rivalLoop = await startRivalLoop(rival, file);

    await a.run('kill -KILL $(pidof ganesha.nfsd)');
    const dead = await nlmFailover(a, ['status'], false);
    t.is(dead.exitCode, 1);
    t.regex(dead.stdout, /"ganesha\.nfsd":"dead"/);
    await nlmFailover(a, ['release', moving.address]);
    const taken = await nlmFailover(b, ['takeover', moving.address]);
    logSteps(t, 'takeover', taken);
    t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 1, 'the client was notified');
    t.true(await reclaimed(b, disks.vol1.device), 'reclaimed after the death of NFS-Ganesha');

    await a.startGanesha({ graceSeconds, callout: a.callout });
    await b.powerCut();
    const refused = await nlmFailover(a, ['takeover', moving.address], false);
    t.is(refused.exitCode, 4, 'without --fenced a device that B may have mounted is left alone');
    const fenced = await nlmFailover(a, ['takeover', moving.address, '--fenced']);
    logSteps(t, 'takeover --fenced', fenced);
    t.true((fenced.lines.at(-1)?.clients?.notified ?? 0) >= 1, 'the client was notified');
    t.true(await reclaimed(a, disks.vol1.device), 'reclaimed after the power cut');
    t.false(await rival.tryLock(file), 'the rival is refused after the grace');
    t.is((await rivalLoop.stop()).stolen, 0);
    t.false(await c.clientLogHas('failed to reclaim'));
    t.is(await holder.read(dataFile), 'written before');
  },
  { commands },
);
