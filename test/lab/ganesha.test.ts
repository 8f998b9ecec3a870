// NFS-Ganesha on both servers: planned moves there and back, its death, that of the node; locks are held, and a rival tries all the while.
import type { Lab } from './lab.js';
import { startRivalLoop } from './rival-loop.js';
import { dataFile, file, lockThrough, logSteps, prepareServers, reclaimed, scenario } from './scenario.js';
import type { Server } from './server.js';
import { nlmFailover, type SiteIp } from './site.js';

/** Nobody can end this grace: clients are notified and reclaim in it, at the end of a takeover on a busy machine. */
const graceSeconds = 20;
/** There and back; the full run: LAB_FAILOVERS=20 npm test -- lab */
const rounds = Math.ceil(Number(process.env['LAB_FAILOVERS'] ?? 2) / 2);
const other = '/mnt/other/file';
const six = '/mnt/six/file';
/** Seconds between two tries of a rival: at each that is refused NFS-Ganesha monitors its client and forgets it again, and statd runs the callout twice. */
const pause = 0.4;

async function isInGrace(server: Server): Promise<boolean> {
  const words =
    'busctl --system call org.ganesha.nfsd /org/ganesha/nfsd/admin org.ganesha.nfsd.admin get_grace';
  return (await server.run(words.split(' '))).stdout.startsWith('bbs true');
}

/** Three addresses, one of them IPv6 and on B, and locks of one client through all three; the rival has two of them mounted. */
async function serveThree(lab: Lab) {
  const { a, b, c, moving, site } = lab;
  const staying = site.ip(2, [{ disk: 'vol2', fsid: 2 }]);
  const ofSix = site.ip(3, [{ disk: 'vol3', fsid: 3 }], 'IPv6');
  await prepareServers(lab, [moving, staying, ofSix], { driver: 'ganesha', graceSeconds });
  const serve = async (server: Server, ips: readonly SiteIp[]) => {
    for (const { address } of ips) await nlmFailover(server, ['takeover', address]);
  };
  await Promise.all([serve(a, [staying, moving]), serve(b, [ofSix])]);
  const locked = await lockThrough(lab, moving);
  const { holder, rival } = locked;
  const through = { server: ofSix.address, path: site.exportPath('vol3'), at: '/mnt/six' };
  await holder.mount({ server: staying.address, path: site.exportPath('vol2'), at: '/mnt/other' });
  await Promise.all([holder, rival].map((client) => client.mount(through)));
  for (const one of [other, six]) await holder.lock(one);
  return { a, b, c, ...locked, moving, staying, ofSix };
}

scenario(
  'ganesha: one of two addresses moves there and back; one of IPv6 outlives NFS-Ganesha, then the node',
  async (t, lab) => {
    const { a, b, c, holder, rival, moving, staying, ofSix } = await serveThree(lab);
    const { vol1, vol2, vol3 } = lab.disks;
    t.false(await rival.tryLock(file), 'the rival is refused before the failover');
    const rivalLoop = await startRivalLoop(rival, file, pause);
    const sixLoop = await startRivalLoop(rival, six, pause);
    const takenOver = async (server: Server, device: string, ...args: readonly string[]) => {
      const taken = await nlmFailover(server, ['takeover', ...args]);
      logSteps(t, `takeover ${args.join(' ')} on ${server.name}`, taken);
      t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 1, 'the client was notified');
      t.true(await reclaimed(server, device), 'the lock was reclaimed');
      return taken.stdout;
    };

    for (let round = 1; round <= rounds; round += 1) {
      for (const [from, to, waits] of [
        [a, b, ofSix],
        [b, a, staying],
      ] as const) {
        const { stdout } = await nlmFailover(from, ['release', moving.address]);
        t.regex(stdout, /1 lock held/);
        t.deepEqual(await from.nfsLocks(vol1.device), []);
        // B may be in grace still, from its takeover.
        if (round === 1 && from === a) t.false(await isInGrace(from), 'a release puts nobody into grace');
        const said = await takenOver(to, vol1.device, moving.address);
        t.true(said.includes(`new locks of ${waits.address} wait too`), 'the bystander is named');
        for (const [server, device] of [
          [a, vol2.device],
          [b, vol3.device],
        ] as const)
          t.is((await server.nfsLocks(device)).length, 1, 'nobody else loses a lock');
      }
    }
    t.false(await rival.tryLock(file), 'the rival is refused after the grace');
    t.is((await rivalLoop.stop()).stolen, 0);
    t.is(await holder.read(dataFile), 'written before');

    await b.run('kill -KILL $(pidof ganesha.nfsd)');
    const dead = await nlmFailover(b, ['status'], false);
    t.is(dead.exitCode, 1);
    t.regex(dead.stdout, /"ganesha\.nfsd":"dead"/);
    await nlmFailover(b, ['release', ofSix.address]);
    await takenOver(a, vol3.device, ofSix.address);

    await b.startGanesha({ graceSeconds, callout: b.callout });
    await a.powerCut();
    const refused = await nlmFailover(b, ['takeover', ofSix.address], false);
    t.is(refused.exitCode, 4, 'without --fenced a device that A may have mounted is left alone');
    await takenOver(b, vol3.device, ofSix.address, '--fenced');
    t.false(await rival.tryLock(six), 'the rival is refused after the grace');
    const { stolen, tries } = await sixLoop.stop();
    t.is(stolen, 0);
    t.log(`${2 * rounds} failovers there and back; the rival of the IPv6 address tried ${tries} times`);
    t.false(await c.clientLogHas('failed to reclaim'));

    // The counter-proof.
    await nlmFailover(b, ['release', ofSix.address]);
    const steps = ['--steps', 'B-1,B-5,B-4,B-3'];
    const unguarded = await nlmFailover(b, ['takeover', ofSix.address, ...steps]);
    t.true((unguarded.lines.at(-1)?.clients?.notified ?? 0) >= 1, 'the client was notified');
    t.true(await rival.tryLock(six), 'without B-2 nobody is in grace, and the rival gets the lock');
    t.true(await c.clientLogHas('failed to reclaim'));
  },
  { commands: ['ganesha.nfsd', 'dbus-daemon', 'busctl'] },
);
