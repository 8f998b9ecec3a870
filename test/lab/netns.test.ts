// The driver lockd-netns: a lock manager of its own for every floating IP. It is the one that `auto` takes here.
import { makePackage } from '../helpers/packages.js';
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

/**
 * What an instance consists of: namespaces, links, mounts, files, processes that are not the kernel's. The lock of operations stays, and the
 * directories of notes of what is mounted, and by which configuration, without one.
 */
const traces = `ip netns list; ip -br link | cut -d" " -f1; find /run -not -path '/run/lab*' -not -path '/run/nlm-failover/locks*' -not -path /run/nlm-failover/mounts -not -path /run/nlm-failover/configured; cut -d" " -f1,2 /proc/mounts
  ps --ppid 2 -p 2 -N -o comm= | sort -u`;

scenario('lockd-netns: planned failover, and nothing of the instance is left on A', async (t, lab) => {
  const { a, b, disks, moving } = lab;
  // As a user has it: from the Debian package, not from the checkout.
  const deb = await makePackage('nlm-failover-slim', lab.directory);
  await Promise.all([a, b].map((server) => server.install(deb)));
  await prepareServers(lab, [moving], { driver: 'auto' });
  // What the host's own NFS is told is nothing to an instance: with `host` alone B-2 ended with errno 99.
  const hosts =
    '[nfsd]\nhost=192.0.2.7\nvers3=n\n[exports]\nrootdir=/nowhere\n[mountd]\nport=1\n[statd]\nport=2\n';
  for (const server of [a, b]) {
    const script =
      'mkdir -p /etc/nfs.conf.d && printf %s "$1" | tee /etc/nfs.conf >/etc/nfs.conf.d/host.conf';
    await server.run(script, { args: [hosts] });
  }
  // iproute2 makes /run/netns a mount, once and for all.
  await a.run('ip netns add once; ip netns del once; mkdir -p /run/nlm-failover');
  const before = await a.run(traces);
  // Before there is any instance, whose rpc.statd could be asked.
  t.regex(
    (await b.run([b.tool, 'check'], { reject: false })).stdout,
    /^ {2}ok +callout +\S+ runs as uid \d/m,
  );
  await startAddress(a, moving);
  const locked = await lockThrough(lab, moving);
  t.is((await a.nfsLocks(disks.vol1.device)).length, 1);
  t.false(await locked.rival.tryLock(file));
  // Sound, on the node that serves and on the other one: no failure, and no warning but of what a lab has not.
  for (const server of [a, b]) {
    const { exitCode, stdout } = await server.run([server.tool, 'check'], { reject: false });
    t.log(stdout);
    t.is(exitCode, 0, stdout);
    const warnings = [...stdout.matchAll(/^ {2}WARNING {2}(\S+)/gm)].map(([, check]) => check);
    t.deepEqual(
      warnings.filter((check) => check !== 'clock' && check !== 'volumes'),
      [],
      stdout,
    );
  }
  const rivalLoop = await startRivalLoop(locked.rival, file);

  const released = await nlmFailover(a, ['release', moving.address]);
  logSteps(t, 'release', released);
  t.deepEqual(await a.nfsLocks(), []);
  t.false((await a.mounts()).some((mount) => mount.device === disks.vol1.device));
  const after = await a.run(traces);
  t.is(after.stdout, before.stdout);

  const taken = await nlmFailover(b, ['takeover', moving.address]);
  logSteps(t, 'takeover', taken);
  t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 1);
  t.true(await reclaimed(b, disks.vol1.device));
  await assertSurvived(t, lab, locked);
  t.is((await rivalLoop.stop()).stolen, 0);
  await locked.lock.release();
  t.deepEqual(await b.nfsLocks(), []);
  t.true(await locked.rival.tryLock(file), 'once it is free the rival gets it');
});
