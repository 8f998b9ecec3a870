// Proves the lab itself, without the product: failovers by hand, with the stock tools.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { file, floatingIp, lockOnA, mountpoint, notifyByHand, releaseByHand, volume } from './by-hand.js';
import { CommandError } from './command.js';
import { bootLab, type Lab, labUnavailable } from './lab.js';
import { startRivalLoop } from './rival-loop.js';
import { useLab } from './use-lab.js';

const reason = labUnavailable();
const labTest = reason === undefined ? test.serial : test.serial.skip;
if (reason !== undefined) test.serial.skip(reason, () => {});

async function withLab(t: ExecutionContext, use: (lab: Lab) => Promise<void>): Promise<void> {
  const started = Date.now();
  let directory: string | undefined;
  await useLab(t, 7, bootLab, (lab) => {
    t.log(`booted in ${Date.now() - started} ms`);
    ({ directory } = lab);
    return use(lab);
  });
  await t.throwsAsync(access(directory ?? ''), { code: 'ENOENT' });
}

labTest('a lock moves from A to B by hand, and the rival never gets it', (t) =>
  withLab(t, async (lab) => {
    const { a, b, c, disks } = lab;
    const holder = c.client('holder');
    const rival = c.client('rival');
    await lockOnA(lab);
    t.is((await a.nfsLocks(disks.vol1.device)).length, 1);
    t.deepEqual(await a.nfsLocks(disks.vol2.device), []);
    t.false(await rival.tryLock(file));
    await holder.write('/mnt/nfs/data', 'written before');
    const io = await holder.appendLoop('/mnt/nfs/log');

    await releaseByHand(lab);
    t.deepEqual(await a.nfsLocks(), []);
    t.false((await a.mounts()).some((mount) => mount.mountpoint === mountpoint));
    await b.startNfs();
    await b.serveByHand(volume(lab));
    await notifyByHand(lab);

    t.false(await rival.tryLock(file));
    t.is((await b.nfsLocks(disks.vol1.device)).length, 1);
    t.is(await holder.read('/mnt/nfs/data'), 'written before');
    t.false(await c.clientLogHas('failed to reclaim'));
    const { appended, errors, longestGapMs } = await io.stop();
    t.deepEqual(errors, []);
    t.is((await holder.read('/mnt/nfs/log')).trimEnd().split('\n').length, appended);
    t.log(`the client stood still for ${longestGapMs} ms`);
    t.true(longestGapMs > 500);
  }),
);

labTest('without grace and notification the rival gets the lock; other locks of B stay', (t) =>
  withLab(t, async (lab) => {
    const { a, b, c, disks } = lab;
    const other = c.client('other');
    await b.startNfs({ pastGrace: true });
    await b.serveByHand({
      device: disks.vol3.device,
      mountpoint: '/mnt/vol3',
      fsid: 3,
      address: '10.10.1.2',
    });
    await other.mount({ server: '10.10.1.2', path: '/mnt/vol3' });
    const otherLock = await other.lock(file);
    await lockOnA(lab);
    const rivalLoop = await startRivalLoop(c.client('rival'), file);

    const running = await a.start(['sleep', '60']);
    await a.powerCut();
    const error = await t.throwsAsync(running.result(), { instanceOf: CommandError });
    t.regex(error.message, /the power was cut/);
    await b.serveByHand(volume(lab));

    await rivalLoop.stolen();
    t.true((await rivalLoop.stop()).stolen >= 1);
    t.is((await b.nfsLocks(disks.vol3.device)).length, 1);
    await otherLock.release();
    t.deepEqual(await b.nfsLocks(), []);

    await a.boot();
    t.deepEqual((await a.run(['ls', '/mnt', '/var/lib/nfs/sm'])).stdout, '/mnt:\n\n/var/lib/nfs/sm:\n');
    await a.run(['ping', '-c', '1', '-W', '5', floatingIp]);
    await a.run(['ping', '-c', '1', '-W', '5', other.address6]);
  }),
);

labTest('a command fails readably, by its exit status or its time', (t) =>
  withLab(t, async ({ a, c }) => {
    const failed = await t.throwsAsync(a.run('echo out; echo "it\'s $1" >&2; exit 3', { args: ["$HOME'"] }));
    t.is(failed.message, `on A: echo out; echo "it's $1" >&2; exit 3: exit 3\nout\nit's $HOME'`);
    t.is((await a.run(['false'], { reject: false })).exitCode, 1);
    const slow = c.client('holder').run('echo begun; sleep 60', { timeoutSeconds: 4 });
    t.regex((await t.throwsAsync(slow)).message, /^on C\/holder: .* still running after 4 s, killed\nbegun$/);
    t.is((await c.client('rival').run(['hostname'])).stdout, 'rival\n');
    await a.write('/etc/written', 'in the guest only\n');
    t.is(await a.read('/etc/written'), 'in the guest only\n');
    t.is((await a.run(['node', '-p', '6 * 7'], { env: { NO_COLOR: '1' } })).stdout, '42\n');
  }),
);

labTest('a scenario that does not end is ended, and says what it waited for', async (t) => {
  const waiting = useLab(t, 0.1, bootLab, async ({ c }) => {
    await c.client('holder').run(['sleep', '600'], { timeoutSeconds: 700 });
  });
  const { message } = await t.throwsAsync(waiting);
  t.regex(message, /^after 0\.1 minutes the lab was stopped\.\n/);
  t.regex(message, /^-- guest C, running:\non C\/holder: sleep 600$/m);
  t.regex(message, /^\/run\/netns\/holder\n/m);
  t.notRegex(message, /not found|No such file/);
});

/** The processes whose command line has this text. */
async function processesWith(text: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}

labTest('a killed test process leaves nothing behind', async (t) => {
  t.timeout(180_000);
  const fixture = join(import.meta.dirname, 'fixtures', 'boot-and-wait.js');
  // Booted as with another Debian release, so that this way is not forgotten; here it is the machine's own tree.
  const env = { LAB_SYSTEM: '/', ...process.env };
  const child = spawn(process.execPath, [fixture], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  const directory = said.toString().trim();
  t.true((await processesWith(directory)).length > 3);
  child.kill('SIGKILL');
  // Bounded by the test's timeout; there is nobody left who could tell.
  while ((await processesWith(directory)).length > 0) await delay(10);
  await t.throwsAsync(access(directory), { code: 'ENOENT' });
});
