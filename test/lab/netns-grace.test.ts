// lockd-netns: the grace ends when its work is done, and not before, on real kernels.
import type { ExecutionContext } from 'ava';
import { startLockWatch } from './lock-watch.js';
import { fileHandle, type NlmAnswer, startNlmRival } from './nlm-rival.js';
import { startRivalLoop } from './rival-loop.js';
import {
  file,
  type Locked,
  lockThrough,
  logSteps,
  prepareServer,
  reclaimed,
  scenario,
  startAddress,
} from './scenario.js';
import type { Lab } from './lab.js';
import type { Server } from './server.js';
import { configure, nlmFailover, nlmFailoverWaiting, prepareVolumes } from './site.js';
import { LabSite } from './sites/lab-site.js';

/** The same on each site that these scenarios have. */
const { address } = new LabSite().moving;
/** So long that nothing here waits for its end: where a new lock is granted, the grace was ended. */
const graceSeconds = 200;
const second = '/mnt/nfs/second';
const free = '/mnt/nfs/free';
/** Nobody else asks for this one. */
const own = '/mnt/nfs/own';

/** Files of the export on which the rival asks for locks, past a client's kernel: one that is locked, one that is free. */
async function handlesOn({ site }: Lab, server: Server) {
  const path = site.exportPath('vol1');
  return {
    held: await fileHandle(server, address, `${path}/file`),
    free: await fileHandle(server, address, `${path}/free`),
  };
}

/** A serves, past its grace, and two clients have a lock each; B's first grace will be a short one. */
async function prepare(lab: Lab) {
  const { a, b, moving } = lab;
  await prepareVolumes(lab, a, [moving]);
  await Promise.all([
    prepareServer(lab, a, [moving], { driver: 'lockd-netns', graceSeconds }),
    prepareServer(lab, b, [moving], { driver: 'lockd-netns', graceSeconds: 10 }),
  ]);
  await startAddress(a, moving);
  const locked = await lockThrough(lab, moving);
  const lockOnSecond = await locked.rival.lock(second);
  for (const name of [free, own]) await locked.holder.write(name, '');
  return { ...locked, lockOnSecond };
}

/** Whether lockd's part of the grace of the address runs. */
async function lockdInGrace(server: Server): Promise<boolean> {
  const { stdout } = await server.run(
    `nsenter --net=/run/netns/nfs-${address} cat /proc/fs/lockd/nlm_end_grace`,
  );
  return stdout.startsWith('N');
}

/** When the grace of the address began on a server, ms since 1970 by its clock: noted right before nfsd's start. */
async function graceBegan(server: Server): Promise<number> {
  const script = `read -r began _ </run/nlm-failover/instances/${address}/grace
    read -r now _ </proc/uptime
    echo "$(date +%s%3N) $now $began"`;
  const [clock = 0, now = 0, began = 0] = (await server.run(script)).stdout.split(' ').map(Number);
  return clock - (now - began) * 1000;
}

/** When a request was granted first, of those made since the server's lock manager answers. */
function firstGrant(answers: readonly NlmAnswer[] | undefined): number | undefined {
  return answers?.find(({ status }) => status === 'granted')?.at;
}

function logSeconds(t: ExecutionContext, what: string, ms: number): void {
  t.log(`${what}: ${(ms / 1000).toFixed(1)} s`);
}

scenario(
  'lockd-netns: the grace ends once all locks are back, there and back, and not after a power cut; ended before that it loses them',
  async (t, lab) => {
    const { b, c } = lab;
    const locked = await prepare(lab);
    await counterProof(t, lab, locked);
    // What is lost is lost. From here on B serves, past its grace, with locks that are new, and every grace is a long one.
    await nlmFailoverWaiting(b, ['takeover', address]);
    await configure(lab, b, [lab.moving], { driver: 'lockd-netns', graceSeconds });
    await locked.lock.release();
    await locked.lockOnSecond.release();
    await locked.holder.lock(file);
    await locked.rival.lock(second);
    await c.run(['dmesg', '--clear']);

    const handles = await handlesOn(lab, b);
    await thereAndBack(t, lab, locked, handles);
    await powerCut(t, lab, handles);
    t.false(await c.clientLogHas('failed to reclaim'), 'nobody has lost a lock since');
  },
  { minutes: 12 },
);

/** From A to B: a grace that is ended before the reclaim loses the locks. */
async function counterProof(t: ExecutionContext, { a, b, c }: Lab, { rival }: Locked): Promise<void> {
  await nlmFailover(a, ['release', address]);
  await nlmFailover(b, ['takeover', address, '--steps', 'B-1,B-2,B-5,B-4']);
  await b.endGrace(address);
  t.true(await rival.tryLock(file), 'the rival gets the lock');
  const notified = await nlmFailover(b, ['takeover', address, '--steps', 'B-3']);
  t.is(notified.lines.at(-1)?.clients?.notNotified, 0, notified.stdout);
  await c.run('until dmesg | grep -q "failed to reclaim"; do sleep 0.3; done');
  t.true(await c.clientLogHas('failed to reclaim'));
}

type Handles = Readonly<Record<'held' | 'free', string>>;

/** From B to A, where the grace ends once its work is done, and back. */
async function thereAndBack(t: ExecutionContext, lab: Lab, locked: Locked, handles: Handles): Promise<void> {
  const { a, b, c } = lab;
  const rivalLoop = await startRivalLoop(locked.rival, file);
  logSteps(t, 'release', await nlmFailover(b, ['release', address]));
  const watch = await startLockWatch(a);
  const rival = await startNlmRival(c.client('other'), address, handles);
  const taken = await nlmFailoverWaiting(a, ['takeover', address]);
  logSteps(t, 'takeover', taken);
  const audit = taken.lines.at(-1)?.audit;
  t.like(audit, { locks: { held: 2, reclaimed: 2 }, grace: { ended: true } }, taken.stdout);
  t.log(audit?.grace?.why);
  t.false(await lockdInGrace(a));
  t.regex(
    await a.kernelLog(),
    /NFSD: starting 10-second grace period/,
    'nfsd’s part is as short as it can be',
  );
  // A client's kernel that asks only now.
  const asked = Date.now();
  t.true(await locked.holder.tryLock(own));
  logSeconds(t, 'a client that asks once takeover has ended waits', Date.now() - asked);
  const answers = await rival.stop();
  const counts = await watch.stop();
  const began = await graceBegan(a);
  const granted = firstGrant(answers['free']?.answers) ?? Number.POSITIVE_INFINITY;
  const lastReclaim = counts.find(({ count }) => count === 2)?.at ?? Number.NaN;
  logSeconds(t, 'from B-2 to the last reclaim', lastReclaim - began);
  logSeconds(t, 'from B-2 to the first new lock', granted - began);
  logSeconds(
    t,
    'from the last reclaim, or the end of nfsd’s 10 s, to that',
    granted - Math.max(lastReclaim, began + 10_000),
  );
  t.true(granted < began + (graceSeconds / 2) * 1000, 'long before the grace would have ended by itself');
  t.true(granted > lastReclaim, 'and not before the last lock was back');
  t.is(firstGrant(answers['held']?.answers), undefined, 'the rival never got the lock that was held');
  t.log(`it asked for each ${answers['held']?.tries} times`);
  t.false(await c.clientLogHas('failed to reclaim'));
  t.notRegex((await nlmFailover(a, ['status', address])).stdout, /"inGrace":true/);

  // Back to B: what --no-wait does not end, the same command ends that waits.
  await nlmFailover(a, ['release', address]);
  await nlmFailover(b, ['takeover', address]);
  t.true(await reclaimed(b, lab.disks.vol1.device, 2));
  t.true(await lockdInGrace(b), '--no-wait ends nothing');
  const again = await nlmFailoverWaiting(b, ['takeover', address]);
  t.like(again.lines.at(-1)?.audit, { grace: { ended: true } }, again.stdout);
  t.false(await lockdInGrace(b));
  t.is((await rivalLoop.stop()).stolen, 0);
  t.false(await c.clientLogHas('failed to reclaim'));
}

/** B dies; A takes over, and its grace goes on, whoever is back. */
async function powerCut(t: ExecutionContext, { a, b, c, disks }: Lab, handles: Handles): Promise<void> {
  await b.powerCut();
  const rival = await startNlmRival(c.client('other'), address, handles);
  const taken = await nlmFailoverWaiting(a, ['takeover', address, '--fenced']);
  logSteps(t, 'takeover --fenced', taken);
  t.true(await reclaimed(a, disks.vol1.device, 2));
  const { grace, graceLeft = 0 } = taken.lines.at(-1)?.audit ?? {};
  t.is(grace?.ended, false, taken.stdout);
  t.regex(grace?.why ?? '', /no release noted what was locked/);
  t.true(graceLeft > 0);
  t.true(await lockdInGrace(a));
  const answers = await rival.stop();
  t.is(firstGrant(answers['free']?.answers), undefined, 'no new lock meanwhile');
  t.is(answers['free']?.answers.findLast(({ status }) => status !== 'silence')?.status, 'grace');
}
