// What goes wrong around the barrier: who is killed, who is late, who is out of step, and what lies there instead of a call. One after another:
// what stands for two seconds has to be seen.
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { awaitEveryNode, callEveryNode } from '../../../src/failover/sharing/barrier.js';
import { isGraceMissed } from '../../../src/failover/steps/rerun.js';
import { drivers } from '../../../src/lockmanager/drivers.js';
import { configure } from '../../helpers/check-sites.js';
import { rehearsalContext } from '../../helpers/rehearsal-context.js';
import { addClient } from '../../helpers/rehearsal-steps.js';
import type { RehearsalNode } from '../../helpers/rehearsal-site.js';
import { address, endGrace, isInGrace, other, sharedSite, watch } from '../../helpers/shared-site.js';
import { projectRoot } from '../../lab/project-root.js';

const quick = ['--no-wait', '--notify-deadline', '1'];
const foreign = '6f1c0b62-7d5e-4c9a-9f0e-3a1de0d7f6aa';

interface Call {
  readonly id: string;
  readonly round: number;
  readonly dead: readonly string[];
  readonly stands?: boolean;
}

/** The call of an operation that waits; not one that a release has left. */
const callOf = (record: string): Call | undefined => {
  const file = path.join(record, 'barrier');
  const call = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Call) : undefined;
  return call?.stands === true ? undefined : call;
};

async function until(t: ExecutionContext, what: string, isSo: () => boolean): Promise<void> {
  for (let left = 2400; left > 0; left -= 1) {
    if (isSo()) return;
    await delay(25);
  }
  t.fail(`in vain: ${what}`);
}

/** A command of a node, as a process of its own. */
function start(t: ExecutionContext, node: RehearsalNode, ...args: readonly string[]) {
  const { NLM_FAILOVER_RUN: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [path.join(projectRoot(), 'bin/nlm-failover'), ...args], {
    env: { ...inherited, NLM_FAILOVER_REHEARSAL: node.root, NLM_FAILOVER_CONFIG: node.config },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (said += data.toString()));
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  t.teardown(() => child.kill('SIGKILL'));
  return { child, exited, said: () => said };
}

const answerOf = (record: string, node: string, call: Call, over: object = {}) =>
  writeFileSync(
    path.join(record, `barrier.${node}`),
    JSON.stringify({ id: call.id, round: call.round, host: node, state: 'joined', said: '', at: 1, ...over }),
  );

test.serial('who waits long calls anew before a grace is over, and enters it anew itself', async (t) => {
  const { a, b, record } = sharedSite(t, 'barrier = 60');
  for (const node of [a, b]) configure(node, 'driver = "ganesha"', 'driver = "ganesha"\nganesha_grace = 10');
  configure(a, 'nodes = ["A", "B"]', 'nodes = ["A", "B", "C"]');
  configure(b, 'nodes = ["A", "B"]', 'nodes = ["A", "B", "C"]');
  const taking = start(t, a, 'takeover', address, ...quick);
  await until(t, 'the call', () => callOf(record) !== undefined);
  const onB = watch(t, b);
  await until(t, 'B joins', () => isInGrace(a) && isInGrace(b));
  endGrace(a, b);
  // A third of 20 s, the longest that a grace of 10 s lasts.
  await until(t, 'a second round', () => (callOf(record)?.round ?? 0) >= 2);
  await until(t, 'both in grace again', () => isInGrace(a) && isInGrace(b));
  const call = callOf(record);
  if (call === undefined) throw new Error('the call is gone');
  answerOf(record, 'C', { ...call, round: call.round - 1 });
  await delay(500);
  t.not(callOf(record), undefined, 'an answer to the round before is waited for');
  answerOf(record, 'C', call);
  t.is(await taking.exited, 0, taking.said());
  t.regex(taking.said(), /in grace after [\d.]+ s: B, C/);
  t.is(onB.said().match(/"joined"/g)?.length, 1, `said once: ${onB.said()}`);
});

test.serial(
  'a call that another node has replaced or removed is put back, and is withdrawn at the end',
  async (t) => {
    const { a, record } = sharedSite(t, 'barrier = 20');
    const taking = start(t, a, 'takeover', address, ...quick);
    await until(t, 'the call', () => callOf(record) !== undefined);
    const call = callOf(record);
    if (call === undefined) throw new Error('the call is gone');
    const file = path.join(record, 'barrier');
    for (const damage of [
      () => rmSync(file),
      () => writeFileSync(file, ''),
      () => writeFileSync(file, JSON.stringify({ ...call, id: foreign, by: 'B' })),
    ]) {
      damage();
      await until(t, 'it is back', () =>
        readFileSync(file, { encoding: 'utf8', flag: 'a+' }).includes(call.id),
      );
    }
    for (const [over, text] of [
      [{ id: foreign }, undefined],
      [{ state: 'maybe' }, undefined],
      [{ at: 'noon' }, undefined],
      [{ at: 9e15 }, undefined],
      [{ round: -1 }, undefined],
      [{}, '{ "id": '],
    ] as const) {
      answerOf(record, 'B', call, over);
      if (text !== undefined) writeFileSync(path.join(record, 'barrier.B'), text);
      await delay(250);
      t.not(callOf(record), undefined, `no answer: ${JSON.stringify(over)}`);
    }
    // That its clock is days ahead says nothing.
    answerOf(record, 'B', call, { at: Date.now() + 9e8 });
    t.is(await taking.exited, 0, taking.said());
    t.is(callOf(record), undefined);
  },
);

test.serial(
  'another node takes the address over while this one waits: it stops, and leaves the other call',
  async (t) => {
    const { a, b, record } = sharedSite(t, 'barrier = 20');
    configure(b, 'nodes = ["A", "B"]', 'nodes = ["A", "B", "C"]');
    const taking = start(t, a, 'takeover', address, ...quick);
    await until(t, 'the call', () => callOf(record) !== undefined);
    const first = callOf(record)?.id;
    const stealing = start(t, b, 'takeover', address, '--fenced', ...quick);
    await until(t, 'the other call', () => ![undefined, first].includes(callOf(record)?.id));
    t.is(await taking.exited, 4, taking.said());
    const call = callOf(record);
    t.not(call?.id, first);
    answerOf(record, 'C', call as Call);
    t.is(await stealing.exited, 0, stealing.said());
    t.regex(stealing.said(), /not waited for A: it is down/);
    t.is(callOf(record), undefined);
  },
);

test.serial('killed at the barrier, the same command again knows who died', async (t) => {
  const { a, b, record } = sharedSite(t, 'barrier = 20');
  await a.here(['takeover', other, '--steps', 'B-1']);
  const onB = watch(t, b);
  t.is((await a.here(['takeover', address, ...quick])).exitCode, 0);
  await onB.end();
  configure(b, 'nodes = ["A", "B"]', 'nodes = ["A", "B", "C"]');
  const taking = start(t, b, 'takeover', address, '--fenced', ...quick);
  await until(t, 'the call', () => callOf(record)?.dead.length === 1);
  taking.child.kill('SIGKILL');
  await taking.exited;
  const left = callOf(record);
  const again = start(t, b, 'takeover', address, ...quick);
  await until(t, 'another call', () => callOf(record) !== undefined && callOf(record)?.id !== left?.id);
  const call = callOf(record);
  t.deepEqual(call?.dead, left?.dead);
  answerOf(record, 'C', call as Call);
  t.is(await again.exited, 0, again.said());
  t.regex(again.said(), /in grace after [\d.]+ s: C; not waited for A: it was down, and answers nothing/);
  // From now on A is a node as any other.
  endGrace(a, b);
  const releasing = start(t, b, 'release', address);
  await until(t, 'the call', () => callOf(record) !== undefined);
  t.deepEqual(callOf(record)?.dead, []);
  answerOf(record, 'C', callOf(record) as Call);
  answerOf(record, 'A', callOf(record) as Call);
  t.is(await releasing.exited, 0, releasing.said());
  t.notRegex(releasing.said(), /it is down/);
});

test.serial(
  'whoever has it next knows who died, though the one before let go; who is back is waited for',
  async (t) => {
    const { a, b, record } = sharedSite(t, 'barrier = 2');
    t.is((await a.here(['takeover', address, ...quick])).exitCode, 5);
    // A third node, which is not there, is waited for until the call is seen.
    configure(b, 'barrier = 2', 'barrier = 20');
    configure(b, 'nodes = ["A", "B"]', 'nodes = ["A", "B", "C"]');
    const taking = start(t, b, 'takeover', address, '--fenced', ...quick);
    await until(t, 'the call', () => callOf(record)?.dead.length === 1);
    taking.child.kill('SIGKILL');
    await taking.exited;
    configure(b, 'nodes = ["A", "B", "C"]', 'nodes = ["A", "B"]');
    configure(b, 'barrier = 20', 'barrier = 2');
    t.is((await b.here(['release', address])).exitCode, 0);
    endGrace(a, b);
    configure(b, 'barrier = 2', 'barrier = 20');
    const { child } = watch(t, a);
    await until(t, 'a look of A', () => existsSync(a.path('/run/nlm-failover/locks/join-grace.looked')));
    child.kill('SIGSTOP');
    const again = start(t, b, 'takeover', address, ...quick);
    await until(t, 'the call', () => callOf(record)?.dead.length === 1);
    child.kill('SIGCONT');
    t.is(await again.exited, 0, again.said());
    t.regex(again.said(), /in grace after [\d.]+ s: A\n/);
  },
);

test.serial('no lock of the address goes before every node is in grace', async (t) => {
  const { a, b, record } = sharedSite(t, 'barrier = 20');
  const told = () => (JSON.parse(a.read('/dbus.json')) as { grace?: string }).grace;
  const taking = start(t, a, 'takeover', address, ...quick);
  await until(t, 'the call', () => callOf(record) !== undefined && isInGrace(a));
  await delay(300);
  t.is(told(), '0:');
  watch(t, b);
  t.is(await taking.exited, 0, taking.said());
  t.is(told(), `5:${address}`);
});

test.serial(
  'a later run calls every node again before anybody is notified, though this one is in grace still',
  async (t) => {
    const { a, b } = sharedSite(t, 'barrier = 1');
    t.is((await a.here(['takeover', address, ...quick])).exitCode, 5);
    addClient(a, '127.78.1.98');
    t.is((await a.here(['release', address])).exitCode, 0);
    t.is((await a.here(['takeover', address, '--steps', 'B-1,B-2'])).exitCode, 5);
    t.true(isInGrace(a) && !isInGrace(b));
    const context = await rehearsalContext(a, {}, (site) => {
      const found = drivers.find(({ name }) => name === 'ganesha');
      if (found === undefined) throw new Error('no such driver');
      return found.make(site);
    });
    const { session, collected, driver, floatingIp } = context;
    session.open({ create: false });
    session.claim(false);
    t.false(await isGraceMissed(context));
    // NFS-Ganesha as B-2 has noted it, and as whoever starts it anew has it: in a grace of its own.
    const runs = (started: number) => {
      mkdirSync(a.path('/proc/777'), { recursive: true });
      a.write('/proc/777/comm', 'ganesha.nfsd\n');
      a.write('/proc/777/status', 'Uid:\t0\t0\t0\t0\n');
      a.write('/proc/777/stat', `777 (ganesha.nfsd) S ${'0 '.repeat(18)}${started} 0\n`);
    };
    runs(100);
    driver.noteServer?.();
    t.false(await isGraceMissed(context));
    runs(200);
    t.true(await isGraceMissed(context), 'it is another one');
    driver.noteServer?.();
    collected.everywhereUntil = performance.now() - 1;
    t.true(await isGraceMissed(context), 'that of another node may be over');
    collected.everywhereUntil = undefined;
    const { shared } = floatingIp;
    if (shared === undefined) throw new Error('nothing is shared');
    await callEveryNode(floatingIp, shared).act(context);
    const called = performance.now();
    // As long as this node itself may take to enter grace: another one has been in it meanwhile.
    await delay(1000);
    await awaitEveryNode(floatingIp, shared).act(context);
    const from = (collected.everywhereUntil ?? Number.NaN) - driver.graceSeconds() * 500;
    t.true(from > 0 && from <= called, `${from}, ${called}`);
    session.close();
    watch(t, b);
    // It answers when it comes to it.
    const config = '/etc/nlm-failover.toml';
    a.write(config, a.read(config).replace(/barrier = 1$/m, 'barrier = 60'));
    const again = await a.here(['takeover', address, ...quick]);
    t.regex(again.stdout, /B-2 +grace .*in grace after [\d.]+ s: B\n/);
    t.true(isInGrace(b));
  },
);

(process.getuid?.() === 0 ? test.serial : test.serial.skip)(
  'on a full disk a call has the space of the reserve',
  async (t) => {
    const { a, shared } = sharedSite(t, 'barrier = 1');
    t.is((await a.here(['takeover', address, ...quick])).exitCode, 5);
    const script = `cp -a "$1" "$1.copy" && mount -t tmpfs -o size=4m,mode=755 tmpfs "$1" && cp -a "$1.copy/." "$1" || exit 99
    cat /dev/zero >"$1/filler" 2>/dev/null; shift; exec "$@"`;
    const tool = [process.execPath, path.join(projectRoot(), 'bin/nlm-failover'), 'release', address];
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['-m', 'sh', '-c', script, 'sh', shared, ...tool],
      {
        encoding: 'utf8',
        env: { ...process.env, NLM_FAILOVER_REHEARSAL: a.root, NLM_FAILOVER_CONFIG: a.config },
      },
    );
    t.is(status, 0, stdout + stderr);
    t.regex(stdout, /A-3 .*node B has not answered/);
  },
);

(process.getuid?.() === 0 ? test.serial : test.serial.skip)('and so has the answer', async (t) => {
  const { a, b, shared, record } = sharedSite(t, 'barrier = 1');
  t.is((await a.here(['takeover', address, ...quick])).exitCode, 5);
  const call = { id: foreign, round: 1, by: 'A', epoch: 1, dead: [] };
  writeFileSync(path.join(record, 'barrier'), JSON.stringify(call));
  const script = `cp -a "$1" "$1.copy" && mount -t tmpfs -o size=4m,mode=755 tmpfs "$1" && cp -a "$1.copy/." "$1" || exit 99
    cat /dev/zero >"$1/filler" 2>/dev/null; record=$2; shift 2; "$@" && cat "$record/barrier.B" && ls "$record"`;
  const tool = [process.execPath, path.join(projectRoot(), 'bin/nlm-failover'), 'join-grace'];
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    ['-m', 'sh', '-c', script, 'sh', shared, record, ...tool],
    {
      encoding: 'utf8',
      env: { ...process.env, NLM_FAILOVER_REHEARSAL: b.root, NLM_FAILOVER_CONFIG: b.config },
    },
  );
  t.is(status, 0, stdout + stderr);
  t.regex(stdout, /^\{"id":"6f1c0b62-.*"state":"joined"/m);
  t.regex(stdout, /^reserve\.failover$/m);
  t.notRegex(stdout, /^reserve\.serving$/m);
});

test.serial(
  'interrupted at the barrier: it stops, the call is withdrawn, and the same command goes on',
  async (t) => {
    const { a, b, record } = sharedSite(t, 'barrier = 20');
    const taking = start(t, a, 'takeover', address, ...quick);
    await until(t, 'the call', () => callOf(record) !== undefined);
    taking.child.kill('SIGTERM');
    t.is(await taking.exited, 1, taking.said());
    t.regex(taking.said(), /Interrupted before B-2/);
    t.is(callOf(record), undefined);
    watch(t, b);
    const again = await a.here(['takeover', address, ...quick]);
    t.is(again.exitCode, 0, again.stdout + again.stderr);
    t.regex(again.stdout, /B-2 +grace .*in grace after [\d.]+ s: B/);
  },
);

test.serial(
  'two addresses that move at once in opposite directions do not wait for each other',
  async (t) => {
    const { a, b } = sharedSite(t, 'barrier = 20');
    const [onA, onB] = [watch(t, a), watch(t, b)];
    for (const [node, one] of [
      [a, address],
      [b, other],
    ] as const)
      t.is((await node.here(['takeover', one, ...quick])).exitCode, 0);
    const releases = [start(t, a, 'release', address), start(t, b, 'release', other)];
    for (const one of releases) t.is(await one.exited, 0, one.said());
    const takeovers = [start(t, a, 'takeover', other, ...quick), start(t, b, 'takeover', address, ...quick)];
    for (const one of takeovers) {
      t.is(await one.exited, 0, one.said());
      t.regex(one.said(), /in grace after [\d.]+ s: [AB]\n/);
    }
    await Promise.all([onA.end(), onB.end()]);
  },
);

test.serial(
  'a second watcher refuses; after a kill -9 the next one answers what the first one left',
  async (t) => {
    const { a, b, record } = sharedSite(t, 'barrier = 20');
    const first = watch(t, b);
    await until(t, 'it looks', () => existsSync(b.path('/run/nlm-failover/locks/join-grace.looked')));
    const second = await b.here(['join-grace', '--watch']);
    t.is(second.exitCode, 1);
    t.regex(
      second.stderr,
      /Calls into grace are answered on this node already \(join-grace --watch, pid \d+\)/,
    );
    t.deepEqual(
      await b.here(['join-grace']),
      { exitCode: 0, stdout: '', stderr: '', output: '' },
      'one look may be',
    );
    t.regex((await b.here(['check'])).stdout, / ok +sharing +this node answers when it is called into grace/);
    t.is((await b.here(['status'])).exitCode, 0);
    // Stopped, it has the lock still.
    first.child.kill('SIGSTOP');
    b.write('/run/nlm-failover/locks/join-grace.looked', '');
    t.regex(
      (await b.here(['check'])).stdout,
      /FAILURE +sharing +.* runs here, and has not been able to look/,
    );
    first.child.kill('SIGCONT');
    const ended = once(first.child, 'exit');
    first.child.kill('SIGKILL');
    await ended;
    const alone = await b.here(['status', address]);
    t.is(alone.exitCode, 1);
    t.regex(alone.stdout, /^ {2}WRONG +"nlm-failover join-grace --watch" does not run here: whoever takes/m);
    t.is((await b.here(['status', address, '--is-served'])).exitCode, 7, 'that is no fault of an address');
    const taking = start(t, a, 'takeover', address, ...quick);
    await until(t, 'the call', () => callOf(record) !== undefined);
    writeFileSync(path.join(record, '.barrier.B.new'), 'left by a kill');
    const third = watch(t, b);
    t.is(await taking.exited, 0, taking.said());
    await third.end();
  },
);

test.serial(
  'a watcher reads the configuration anew, and goes on with the old one where it is wrong',
  async (t) => {
    const { a, b } = sharedSite(t, 'barrier = 20');
    const whole = b.read('/etc/nlm-failover.toml');
    const [before = '', second = ''] = whole.split(/(?=\[\[floating_ip\]\]\naddress = "127\.78\.1\.2)/);
    b.write('/etc/nlm-failover.toml', `${before}\n${second.slice(second.indexOf('[timeouts]'))}`);
    const onB = watch(t, b);
    t.is((await a.here(['takeover', address, ...quick])).exitCode, 0);
    const taking = start(t, a, 'takeover', other, ...quick);
    await until(t, 'the call', () =>
      existsSync(path.join(a.path('/shared_storage'), `sm_${other}`, 'barrier')),
    );
    b.write('/etc/nlm-failover.toml', 'nonsense');
    await until(t, 'a complaint', () => onB.said().includes('CONFIG_INVALID'));
    b.write('/etc/nlm-failover.toml', whole);
    t.is(await taking.exited, 0, taking.said());
    t.is(onB.said().match(/CONFIG_INVALID/g)?.length, 1);
    await onB.end();
  },
);

test.serial(
  'what cannot be read of one address keeps no other from being answered, and storage may come back',
  async (t) => {
    const { a, b, shared, record } = sharedSite(t, 'barrier = 20');
    const beside = path.join(shared, `sm_${other}`);
    mkdirSync(beside, { mode: 0o711 });
    symlinkSync('/etc/hostname', path.join(beside, 'barrier'));
    const onB = watch(t, b);
    t.is((await a.here(['takeover', address, ...quick])).exitCode, 0);
    await until(t, 'what it says', () => onB.said().includes('is not a regular file'));
    rmSync(beside, { recursive: true });
    endGrace(a, b);
    // All of it goes.
    renameSync(shared, `${shared}.gone`);
    await until(t, 'what it says', () =>
      onB.said().includes('Whether 127.78.1.1 calls this node into grace cannot be seen'),
    );
    t.regex((await b.here(['join-grace'])).stderr, /cannot be seen: \/shared_storage does not exist/);
    t.regex(
      (await b.here(['check', address])).output,
      /Only where it is mounted: make \/shared_storage on it/,
    );
    renameSync(`${shared}.gone`, shared);
    const releasing = await a.here(['release', address]);
    t.is(releasing.exitCode, 0, releasing.stdout + releasing.stderr);
    t.regex(releasing.stdout, /in grace after [\d.]+ s: B/);
    t.is(onB.said().match(/^nlm-failover: Whether .* cannot be seen/gm)?.length, 2, 'once of each address');
    t.is(callOf(record), undefined);
    await onB.end();
  },
);

test.serial('a node that cannot enter grace says why, and once', async (t) => {
  const { a, b } = sharedSite(t, 'barrier = 3');
  b.write('/dbus.json', '{ "inGrace": false, "exports": [[1, "/gv"]], "refuses": "Unable to start grace" }');
  const onB = watch(t, b);
  const taken = await a.here(['takeover', address, ...quick]);
  t.is(taken.exitCode, 5, taken.stdout + taken.stderr);
  t.regex(
    taken.stdout,
    /NOTE: node B could not: NFS-Ganesha has refused grace: Unable to start grace; what its clients locked/,
  );
  t.is(onB.said().match(/"failed"/g)?.length, 1, onB.said());
  await onB.end();
});
