// A clean reboot of a single server, under systemd, with the units of nfs-utils: whether its client's lock is there afterwards. With
// nlm-failover's unit here; with the driver lockd-netns too, and without nlm-failover, in the full run:
// NLM_FULL=1 npx ava --serial --timeout=20m build/test/lab/reboot.test.js
import type { ExecutionContext } from 'ava';
import type { Lab } from './lab.js';
import { keepEtc, prepareReboot, prepareSystemd, rebootCleanly, setUp, startAtBoot } from './reboot-steps.js';
import { startRivalLoop } from './rival-loop.js';
import { file, lockThrough, reclaimed, scenario } from './scenario.js';
import { configure, type Driver, nlmFailover, prepareVolumes, tool } from './site.js';

const full = process.env['NLM_FULL'] === '1';

scenario(
  'systemd: a clean reboot of a single server, and its client keeps the lock',
  (t, lab) => rebootWith(t, lab, 'lockd'),
  { systemdOnA: true },
);

if (full) {
  scenario('systemd: a clean reboot with an instance', (t, lab) => rebootWith(t, lab, 'lockd-netns'), {
    systemdOnA: true,
  });
  scenario('systemd: the unit where not all is well', unitInTrouble, { systemdOnA: true });
  scenario('systemd: a clean reboot without nlm-failover', rebootWithout, { systemdOnA: true });
}

async function rebootWith(t: ExecutionContext, lab: Lab, driver: Driver): Promise<void> {
  const { a, c, disks, moving } = lab;
  const unit = `nlm-failover@${moving.address}.service`;
  for (const name of ['holder', 'rival'] as const) void c.client(name).setUp();
  await prepareVolumes(lab, a, [moving]);
  await prepareReboot(lab, a, { driver });
  // rpc.statd runs without a callout before: setup has systemd start it anew.
  await a.run(['systemctl', 'start', 'nfs-server', 'rpc-statd']);
  const items = await setUp(a);
  t.deepEqual([items['rpc.statd'], items['unit']], [driver === 'lockd' ? 'done' : undefined, 'done']);
  await keepEtc(lab, a, 'away');
  await startAtBoot(a, unit);
  await a.endGrace(driver === 'lockd' ? undefined : moving.address);
  const locked = await lockThrough(lab, moving);
  const rivalLoop = await startRivalLoop(locked.rival, file);

  const begun = performance.now();
  await rebootCleanly(a);
  const dark = performance.now();
  await prepareReboot(lab, a, { driver });
  await keepEtc(lab, a, 'back');
  const ready = performance.now();
  await startAtBoot(a, unit);
  const started = performance.now();
  t.true(await reclaimed(a, disks.vol1.device), 'the lock is there again');
  const { tries, stolen } = await rivalLoop.stop();
  t.is(stolen, 0);
  t.false(await c.clientLogHas('failed to reclaim'));
  t.log(
    `${await kernelOf(lab)}, ${driver}: off and on in ${seconds(begun, dark)} s, its units started in ${seconds(ready, started)} s; the rival tried ${tries} times`,
  );

  // Stopped before nfsd and statd, the unit has seen the lock; stopped after them there is none to be seen.
  const history = await a.run([tool, 'history', moving.address]);
  t.regex(history.stdout, /release .*: done[^]*A-1 .*; 1 lock held[^]*A-4/);
  const shown = await a.run(['systemctl', 'show', '--property=ActiveState,Result', unit]);
  t.is(shown.stdout, 'Result=success\nActiveState=active\n');
}

/** Clients that are gone, another node that has the address, a shutdown while the start goes on. */
async function unitInTrouble(t: ExecutionContext, lab: Lab): Promise<void> {
  const { a, b, c, disks, moving } = lab;
  const { address } = moving;
  const unit = `nlm-failover@${address}.service`;
  const options = { driver: 'lockd-netns', graceSeconds: 10 } as const;
  const systemctl = (...args: string[]) =>
    a.run(['systemctl', ...args, unit], { timeoutSeconds: 300, reject: false });
  const shown = async () =>
    (await systemctl('show', '--property=ActiveState,ExecMainStatus,NRestarts')).stdout
      .trim()
      .split('\n')
      .toSorted();
  await prepareVolumes(lab, a, [moving]);
  await prepareReboot(lab, a, options);
  await configure(lab, b, [moving], options);
  await setUp(a);
  t.is((await systemctl('start')).exitCode, 0);
  await a.endGrace(address);
  await lockThrough(lab, moving);
  t.is((await systemctl('stop')).exitCode, 0);
  t.false(
    (await a.mounts()).some((mount) => mount.device === disks.vol1.device),
    'released',
  );

  await c.powerCut();
  t.is((await systemctl('start')).exitCode, 0);
  t.regex((await shown()).join(), /^ActiveState=active,ExecMainStatus=[56],NRestarts=0$/, 'served, and seen');

  await systemctl('stop');
  const byHand = async () => (await nlmFailover(a, ['takeover', address], false)).stdout;
  t.regex(await byHand(), /service is enabled, but inactive: a reboot releases nothing/);
  await systemctl('start');
  t.notRegex(await byHand(), /a reboot releases nothing/);

  await systemctl('stop');
  await nlmFailover(b, ['takeover', address], false);
  t.not((await systemctl('start')).exitCode, 0);
  t.deepEqual(await shown(), ['ActiveState=failed', 'ExecMainStatus=4', 'NRestarts=0']);
  t.is((await nlmFailover(b, ['status', '--is-served', address], false)).exitCode, 0, 'B serves on');
  await nlmFailover(b, ['release', address]);

  await systemctl('start', '--no-block');
  await a.run(`until ip netns exec "nfs-$1" ip addr | grep -qF " $1/"; do sleep 0.2; done`, {
    args: [address],
    timeoutSeconds: 120,
  });
  t.is((await shown())[0], 'ActiveState=activating');
  await rebootCleanly(a);
  const superblock = await a.run(['dumpe2fs', '-h', disks.state1.device]);
  t.notRegex(superblock.stdout, /needs_recovery/, 'released in the middle of its start');
}

/** The server's own address, and what a distribution has: statd's list survives on a disk, sm-notify tells the clients at boot. */
async function rebootWithout(t: ExecutionContext, lab: Lab): Promise<void> {
  const { a, c, disks } = lab;
  const serve = async () => {
    await prepareSystemd(a);
    await a.run(
      `set -e
      mount "$1" /var/lib/nfs
      mkdir -p /var/lib/nfs/sm /var/lib/nfs/sm.bak /var/lib/nfs/v4recovery /var/lib/nfs/rpc_pipefs
      touch /var/lib/nfs/etab /var/lib/nfs/rmtab /var/lib/nfs/state
      chown statd:nogroup /var/lib/nfs/sm /var/lib/nfs/sm.bak /var/lib/nfs/state
      mkdir -p /srv/vol1
      mount "$2" /srv/vol1
      chmod 1777 /srv/vol1
      echo '/srv/vol1 *(rw,fsid=1234,no_root_squash,no_subtree_check)' >/etc/exports`,
      { args: [disks.vol3.device, disks.vol1.device] },
    );
    const kept = await a.run('ls /var/lib/nfs/sm /var/lib/nfs/sm.bak');
    await startAtBoot(a);
    return kept.stdout.replaceAll('\n', ' ').trim();
  };
  await c.write('/etc/hosts', `127.0.0.1 localhost\n${a.address} A\n`);
  await serve();
  await a.endGrace();
  const [holder, rival] = [c.client('holder'), c.client('rival')];
  for (const client of [holder, rival]) await client.mount({ server: a.address, path: '/srv/vol1' });
  await holder.lock(file);
  const rivalLoop = await startRivalLoop(rival, file);
  const before = await a.run('ls /var/lib/nfs/sm');
  await rebootCleanly(a);
  const kept = await serve();
  await reclaimed(a, disks.vol1.device);
  const { tries, stolen } = await rivalLoop.stop();
  const isHeld = (await a.nfsLocks(disks.vol1.device)).length === 1;
  const kernel = await kernelOf(lab);
  t.log(
    `${kernel}, without: statd knew ${before.stdout.trim().replaceAll('\n', ' ')}; after the reboot: ${kept}; ` +
      `lock ${isHeld && stolen === 0 ? 'kept' : 'LOST'}, the rival tried ${tries} times and got it ${stolen} times`,
  );
  // lockd has statd forget its clients as it stops: before 6.4 not those that hold locks.
  const [, major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(kernel) ?? []).map(Number);
  t.is(stolen > 0, major > 6 || (major === 6 && minor >= 4), 'lost since Linux 6.4');
}

async function kernelOf({ a }: Lab): Promise<string> {
  return `Linux ${(await a.run(['uname', '-r'])).stdout.trim()}`;
}

function seconds(from: number, to = performance.now()): string {
  return ((to - from) / 1000).toFixed(1);
}
