// The process of two rehearsed nodes, with real records, journals, notes and SM_NOTIFY: what CTDB moves, and what is so afterwards.
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { BarrierProcess, type Effects } from '../../src/ctdb/barrier-process.js';
import { usualLimits } from '../../src/ctdb/limits.js';
import { lastLooked, noteMoved } from '../../src/ctdb/local.js';
import { nobodyBehind, type Phase } from '../../src/ctdb/note.js';
import { writeNote } from '../../src/ctdb/note-files.js';
import { openRecord } from '../../src/record/record.js';
import { servingJournal } from '../../src/rundir/serving.js';
import { startLoopbackClient } from '../demo/loopback-client.js';
import { addresses, ctdbSite } from './helpers/ctdb-site.js';
import { hasMoved, type Running, start } from './helpers/running.js';
import { until } from './helpers/serving.js';

const [moving, staying] = addresses;

/** A client locks through an address: its line of the journal, and its lock. */
function locks({ node, run }: Running, address: string, client: string) {
  const journal = servingJournal(run, address);
  if (journal === undefined) throw new Error(`${address} is not recorded on ${node.name}`);
  appendFileSync(journal, `\n@1 1.00 add-client ${client} ${node.name} - .\n`);
  node.write('/proc/locks', '1: POSIX  ADVISORY  WRITE 42 0b:01:99 0 EOF\n');
}

/** As it was first: what is refused is renewed. */
const ordered = (all: readonly string[]) => [...new Set(all)];

test('an address moves: both nodes refuse, stop, start; its client hears from it, and the other one from the other', async (t) => {
  const heard: string[] = [];
  const client = await startLoopbackClient('127.79.2.1', 0, (name, _, source) =>
    heard.push(`${name} ${source}`),
  );
  t.teardown(() => client.close());
  const site = ctdbSite(t, client.port);
  const [a, b] = [await start(t, site.a, client.port), await start(t, site.b, client.port)];
  site.give(site.a, [moving]);
  site.give(site.b, [staying]);
  for (const one of [a, b]) hasMoved(one);
  const phases = () => [a, b].map(({ process: { state } }) => `${state?.generation} ${state?.phase}`);
  await until(() => phases().every((one) => one === '1 started'));
  t.deepEqual(
    [a, b].map(({ done }) => ordered(done)),
    [
      ['refuse', 'stop', 'start', 'let through'],
      ['refuse', 'stop', 'start', 'let through'],
    ],
  );
  for (const node of site.nodes) node.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  await until(() => phases().every((one) => one === '1 idle'));

  locks(a, moving, client.address);
  locks(b, staying, client.address);
  site.give(site.a, []);
  site.give(site.b, [moving, staying]);
  for (const { run } of [a, b]) noteMoved(run);
  // As after `ctdb moveip`: no ipreallocated comes.
  await until(() => phases().every((one) => one === '2 started'));
  t.deepEqual(
    site.nodes.map((node) => node.read('/proc/locks')),
    ['', ''],
    'nothing is held any more',
  );
  await until(() => heard.length >= 2);
  t.deepEqual([...new Set(heard)].toSorted(), [`${moving} ${moving}`, `${staying} ${staying}`]);
  t.is(servingJournal(a.run, moving), undefined);
  t.regex(servingJournal(b.run, moving) ?? '', /journal\.B$/);
  const record = openRecord({
    directory: path.join(site.shared, `sm_${moving}`),
    node: 'B',
    machine: undefined,
    create: false,
  });
  t.teardown(() => record?.close());
  t.is(record?.ownership().owner, 'B');
  t.deepEqual(record?.clientNames(), [client.address], 'it is recorded still, for the next move');
  t.deepEqual(readdirSync(path.join(site.shared, 'ctdb')).toSorted(), ['node.0', 'node.1']);
  t.deepEqual(lastLooked(b.run)?.wrong, []);
});

test('a process that was killed goes on where it was, by what is so; meanwhile the other one waits for it', async (t) => {
  const client = await startLoopbackClient('127.79.2.2', 0, () => undefined);
  t.teardown(() => client.close());
  const site = ctdbSite(t, client.port);
  const [a, b] = [await start(t, site.a, client.port), await start(t, site.b, client.port)];
  await until(() => [a, b].every(({ process }) => process.state !== undefined));
  // It stops, and is gone before it can start.
  const has = (one: Running, phase: string) => one.process.state?.phase === phase;
  site.b.write('/etc/machine-id', 'c'.repeat(32));
  site.give(site.a, [moving]);
  hasMoved(a);
  await until(() => has(b, 'refusing') || has(b, 'stopped'));
  await b.end();
  const again = await start(t, site.b, client.port);
  await until(() => has(a, 'started') && has(again, 'started'));
  t.is(site.b.read('/proc/fs/nfsd/threads'), '8\n');
  t.is(again.process.state?.generation, a.process.state?.generation);
  t.deepEqual(a.process.state?.behind, { refusing: [], stopped: [] });
});

test('a damaged note, of a node that is there no more or of one that is, stops nobody for good, and is said', async (t) => {
  const site = ctdbSite(t, 1, 'ctdb_wait = 2');
  const directory = path.join(site.shared, 'ctdb');
  const beyond = { generation: Number.MAX_SAFE_INTEGER, phase: 'refusing', behind: nobodyBehind } as const;
  const signed = { bootId: 'x', beat: 1 } as const;
  // Its machine went long ago; and this is what B had when it was killed.
  writeNote(directory, 7, { ...beyond, ...signed, node: 'C' });
  writeNote(directory, 1, { ...beyond, ...signed, node: 'B' });
  symlinkSync('/etc/passwd', path.join(directory, 'node.8'));
  const [a, b] = [await start(t, site.a, 1), await start(t, site.b, 1)];
  await until(() => [a, b].every(({ process }) => process.state !== undefined));
  site.give(site.a, [moving]);
  hasMoved(a);
  const phases = () => [a, b].map(({ process: { state } }) => `${state?.generation} ${state?.phase}`);
  await until(() => phases().every((one) => one === '1 started'));
  t.deepEqual(a.process.state?.behind, nobodyBehind);
  const remarks = () => (lastLooked(a.run)?.remarks ?? []).join('\n');
  await until(() => /node\.7 is no note: its generation is 9007199254740991, and nobody/.test(remarks()));
  t.regex(remarks(), /node\.8 is no note: it is not a regular file\. Node 8 /);
  t.is(a.said.filter((one) => one.includes('node.7 is no note')).length, 1, 'said once');
  t.deepEqual(lastLooked(a.run)?.wrong, [], 'no reason to move the addresses away');
});

test('what is mounted only now, and no lock manager of the kernel can serve, begins no generation', async (t) => {
  const site = ctdbSite(t, 1);
  site.a.write('/proc/self/mountinfo', '1 0 11:1 / /srv/vol rw - gfs2 /dev/vol1 rw\n');
  const a = await start(t, site.a, 1);
  site.give(site.a, [moving]);
  hasMoved(a);
  await until(() => (lastLooked(a.run)?.wrong ?? []).some((text) => /\/srv\/vol is GFS2/.test(text)));
  t.is(a.process.state?.generation, 0);
  site.a.write('/proc/self/mountinfo', '1 0 11:1 / /srv/vol rw - gpfs /dev/vol1 rw\n');
  await until(() => a.process.state?.generation === 1);
});

test('a node whose ctdbd is dead has an address still that CTDB has moved: it takes it from nobody, and says so', async (t) => {
  const heard: string[] = [];
  const client = await startLoopbackClient('127.79.2.4', 0, (_, __, source) => heard.push(source));
  t.teardown(() => client.close());
  const site = ctdbSite(t, client.port);
  const [a, b] = [await start(t, site.a, client.port), await start(t, site.b, client.port)];
  const owner = () => {
    const directory = path.join(site.shared, `sm_${moving}`);
    const record = openRecord({ directory, node: 'B', machine: undefined, create: false });
    try {
      return record?.ownership().owner;
    } finally {
      record?.close();
    }
  };
  const move = async (generation: number, ...runs: readonly string[]) => {
    for (const run of runs) {
      hasMoved({ run });
    }
    await until(() =>
      [a, b].every(({ process: { state } }) => state?.phase === 'started' && state.generation >= generation),
    );
    for (const node of site.nodes) node.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
    await until(() => [a, b].every(({ process: { state } }) => state?.phase === 'idle'));
  };
  site.give(site.a, [moving]);
  await move(1, a.run);
  t.is(owner(), 'A');
  locks(a, moving, client.address);
  site.a.remove('/ctdb-status');
  site.give(site.b, [moving]);
  await move(2, b.run);
  t.is(owner(), 'B');
  // Nobody is lost that comes to the old one meanwhile, by its neighbours' memory.
  t.regex(servingJournal(a.run, moving) ?? '', /journal\.A$/);
  // Whichever of them is the last one to start.
  await move(3, b.run);
  await until(() =>
    (lastLooked(a.run)?.remarks ?? []).some((text) => text.includes('CTDB does not answer: ')),
  );
  t.is(owner(), 'B');
  t.true(
    a.said.some((text) => /127\.79\.1\.1 is here, and left to the node .*CTDB does not answer/.test(text)),
    a.said.join('\n'),
  );
  t.deepEqual([...new Set(heard)], [moving]);

  // It answers, and has it elsewhere.
  site.connect(true);
  site.a.write('/ctdb-ip', `|Public IP|Node|\n|${moving}|1|\n|${staying}|-1|\n`);
  await move(4, b.run);
  t.is(owner(), 'B');
  await until(() =>
    a.said.some((text) => /127\.79\.1\.1 is here, and left to the node .*: CTDB has it on node 1/.test(text)),
  );

  // It is cut off, and has it here by its own word, as the last one to start.
  site.a.remove('/ctdb-ip');
  site.a.write('/ctdb-leader', 'UNKNOWN\n');
  site.give(site.b, []);
  await move(5, b.run);
  await until(() => a.said.some((text) => /127\.79\.1\.1 is not recorded.* knows no leader/.test(text)));
  t.is(owner(), 'B');
  site.a.write('/ctdb-leader', '1\n');
  await move(6, b.run);
  t.is(owner(), 'A');
});

test('an address that comes back without an event is found, and its record taken back', async (t) => {
  const client = await startLoopbackClient('127.79.2.3', 0, () => undefined);
  t.teardown(() => client.close());
  const site = ctdbSite(t, client.port);
  const [a, b] = [await start(t, site.a, client.port), await start(t, site.b, client.port)];
  site.give(site.a, [moving]);
  await until(() => servingJournal(a.run, moving) !== undefined);
  await until(() => [a, b].every(({ process }) => process.state?.phase === 'started'));
  // A partition: CTDB gives it to B, which sees its event, and A not; then it is back.
  site.connect(false);
  site.give(site.b, [moving]);
  site.give(site.a, []);
  hasMoved(b);
  await until(
    () => servingJournal(b.run, moving) !== undefined && servingJournal(a.run, moving) === undefined,
  );
  await until(() => [a, b].every(({ process }) => process.state?.phase === 'started'));
  site.connect(true);
  site.give(site.b, []);
  site.give(site.a, [moving]);
  for (const node of site.nodes) node.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  await until(
    () => servingJournal(a.run, moving) !== undefined && servingJournal(b.run, moving) === undefined,
  );
  t.true((a.process.state?.generation ?? 0) >= 3);
});

test('without its storage nothing is done, and that is said; with it, what has moved', async (t) => {
  const site = ctdbSite(t, 1);
  const a = await start(t, site.a, 1);
  await until(() => a.process.state !== undefined);
  site.connect(false);
  chmodSync(site.shared, 0o777);
  await until(() => a.said.some((one) => /writable by others/.test(one)));
  site.give(site.a, [moving]);
  hasMoved(a);
  await until(() => lastLooked(a.run)?.wrong.some((one) => /writable by others/.test(one)) === true);
  t.deepEqual(a.done, []);
  chmodSync(site.shared, 0o755);
  mkdirSync(site.a.path('/proc/sys/fs/nfs'), { recursive: true });
  site.a.write('/proc/sys/fs/nfs/nlm_grace_period', '20\n');
  await until(() => a.process.state?.phase === 'started');
  t.deepEqual(ordered(a.done), ['refuse', 'stop', 'start', 'let through']);
  await until(
    () => lastLooked(a.run)?.remarks.some((one) => /a grace of 20 s is too short/.test(one)) === true,
  );
});

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A node alone, on which all works and nothing is to be done. */
const idleEffects: Effects = {
  now: () => performance.now(),
  members: () => ({ self: 0, connected: new Set() }),
  readNotes: () => new Map(),
  writeNote: () => undefined,
  wanted: () => undefined,
  isRebooted: () => false,
  lockManager: async () => 'up',
  closedSince: () => undefined,
  noteClosed: () => undefined,
  inGrace: async () => true,
  expectUp: async () => undefined,
  refuse: async () => undefined,
  refuses: async () => true,
  letThrough: async () => undefined,
  stop: async () => undefined,
  start: async () => undefined,
  notify: async () => undefined,
  say: () => undefined,
  looked: () => undefined,
  delay: pause,
};

test('a packet filter that cannot be changed at once does not have the lock manager start twice', async (t) => {
  let starts = 0;
  let tries = 0;
  const barrier = new BarrierProcess(
    {
      ...idleEffects,
      wanted: () => (starts === 0 ? 'event' : undefined),
      start: async () => void (starts += 1),
      letThrough: async () => {
        tries += 1;
        if (tries < 3) throw new Error('another program has its lock');
      },
    },
    usualLimits,
  );
  for (let look = 0; look < 9; look += 1) await barrier.look();
  t.is(barrier.state?.phase, 'started');
  t.is(starts, 1);
  t.is(tries, 3, 'until it is so, and no more');
});

for (const [how, openingMs] of [
  ['at once', 10],
  ['after what a renewal takes', 2500],
] as const)
  test(`nothing is refused any more once it has been let through, ${how}, whatever was being renewed meanwhile`, async (t) => {
    const changes: string[] = [];
    let isStarted = false;
    const begun: string[] = [];
    const effects: Effects = {
      ...idleEffects,
      wanted: () => (isStarted ? undefined : 'event'),
      // It takes long, as on a slow machine.
      refuse: async () => {
        begun.push('refuse');
        await pause(700);
        changes.push('refuse');
      },
      letThrough: async () => {
        await pause(openingMs);
        changes.push('let through');
      },
      // It ends while a renewal is under way.
      start: async () => {
        while (begun.length < 2) await pause(10);
        isStarted = true;
      },
    };
    const barrier = new BarrierProcess(effects, usualLimits);
    while (barrier.state?.phase !== 'started') await barrier.look();
    await barrier.look();
    await pause(1000);
    t.true(changes.filter((one) => one === 'refuse').length > 1, 'it was renewed');
    t.is(changes.at(-1), 'let through');
  });

test('whoever takes the rules away for ever keeps nobody from being served, and is told of', async (t) => {
  const said: string[] = [];
  let isStarted = false;
  const barrier = new BarrierProcess(
    {
      ...idleEffects,
      wanted: () => (isStarted ? undefined : 'event'),
      refuses: async () => false,
      start: async () => void (isStarted = true),
      say: (_, text) => void said.push(text),
    },
    usualLimits,
  );
  for (let look = 0; look < 200 && barrier.state?.phase !== 'started'; look += 1) await barrier.look();
  t.is(barrier.state?.phase, 'started');
  const gone = said.filter((one) => one.includes('the rules were gone'));
  t.is(gone.filter((one) => one.includes('all begin anew')).length, 5);
  t.true(gone.some((one) => one.includes('that was so 5 times before, so it goes on')));
});

test('where /run takes nothing it goes on, and starts the lock manager once', async (t) => {
  const site = ctdbSite(t, 1);
  site.connect(false);
  const a = await start(t, site.a, 1);
  await until(() => lastLooked(a.run) !== undefined);
  site.give(site.a, [moving]);
  hasMoved(a);
  // As on a full one, also for root.
  renameSync(path.join(a.run, 'ctdb'), path.join(a.run, 'ctdb.was'));
  writeFileSync(path.join(a.run, 'ctdb'), '');
  await until(() => a.process.state?.phase === 'started');
  site.a.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  await until(() => a.process.state?.phase === 'idle');
  const looks = a.said.length;
  await new Promise((resolve) => setTimeout(resolve, 3000));
  t.is(a.done.filter((one) => one === 'start').length, 1);
  t.is(a.process.state?.generation, 1);
  t.is(a.said.length, looks, 'it is said once');
  t.true(a.said.some((one) => one.startsWith('saying how it is: ')));
});

test('a lock manager that rpcbind does not know is not taken for one that is refused', async (t) => {
  const site = ctdbSite(t, 1);
  site.connect(false);
  site.a.write('/rpcbind-anew', '');
  const a = await start(t, site.a, 1);
  site.give(site.a, [moving]);
  hasMoved(a);
  await until(() => a.said.some((one) => one.startsWith('refusing NLM: rpcbind does not know where')));
  t.deepEqual(a.done, []);
  site.a.remove('/rpcbind-anew');
  await until(() => a.process.state?.phase === 'started');
});

test('rules that somebody has taken away are there again at once, that is said, and nobody stops by what was said before', async (t) => {
  const site = ctdbSite(t, 1);
  const a = await start(t, site.a, 1);
  const other = (generation: number, phase: Phase) =>
    writeNote(path.join(site.shared, 'ctdb'), 1, {
      node: 'B',
      bootId: '',
      generation,
      phase,
      behind: nobodyBehind,
      beat: Date.now(),
    });
  other(0, 'idle');
  site.give(site.a, [moving]);
  hasMoved(a);
  const at = () => `${a.process.state?.generation} ${a.process.state?.phase}`;
  await until(() => at() === '1 refusing');
  // As "nft flush ruleset" leaves it.
  site.a.remove('/nft-refused');
  await until(() => at() === '2 refusing');
  t.regex(site.a.read('/nft-refused'), /tcp \. 4045/);
  const said = a.said.filter((one) => one.startsWith('NLM was not refused here for up to '));
  t.is(said.length, 1, a.said.join('\n'));
  t.regex(said[0] ?? '', /up to \d+ ms: the rules were gone.*; all begin anew/);
  other(2, 'refusing');
  await until(() => at() === '2 stopped');
  site.a.remove('/nft-refused');
  await until(() => a.said.some((one) => one.includes('nothing was granted, as the lock manager is down')));
  other(2, 'stopped');
  await until(() => at() === '2 started');
});

test('rules that are gone just before the lock manager would stop keep it from that', async (t) => {
  const done: string[] = [];
  let looks = 0;
  const barrier = new BarrierProcess(
    {
      ...idleEffects,
      wanted: () => (done.includes('start') ? undefined : 'event'),
      refuse: async () => void done.push('refuse'),
      // Gone once: between the decision and the act.
      refuses: async () => {
        looks += 1;
        return looks !== 2;
      },
      stop: async () => void done.push('stop'),
      start: async () => void done.push('start'),
      say: (_, text) => void (text.startsWith('NLM was not refused') ? done.push('said') : undefined),
    },
    usualLimits,
  );
  while (barrier.state?.phase !== 'started') await barrier.look();
  t.deepEqual(done.slice(0, 4), ['refuse', 'refuse', 'said', 'refuse']);
  t.is(barrier.state.generation, 2);
});

/** The process of A, ended while its lock manager is down: B refuses, and comes no further. */
async function endedWhileStopped(t: ExecutionContext) {
  const site = ctdbSite(t, 1);
  const a = await start(t, site.a, 1);
  site.give(site.a, [moving]);
  hasMoved(a);
  await until(() => a.process.state?.phase === 'refusing');
  const note = {
    node: 'B',
    bootId: '',
    generation: 1,
    phase: 'refusing',
    behind: nobodyBehind,
    beat: 1,
  } as const;
  writeNote(path.join(site.shared, 'ctdb'), 1, note);
  await until(() => a.process.state?.phase === 'stopped');
  await a.end();
  return { site, a };
}

test('a process that was killed starts the lock manager that it had stopped, also where ctdbd is dead', async (t) => {
  const { site } = await endedWhileStopped(t);
  site.a.remove('/ctdb-status');
  const again = await start(t, site.a, 1);
  await until(() => again.process.state?.phase === 'stopped');
  await until(() => again.process.state?.phase === 'started');
  t.is(site.a.read('/proc/fs/nfsd/threads'), '8\n');
});

test('SIGTERM where the lock manager is down: it starts before the process ends', async (t) => {
  const { site, a } = await endedWhileStopped(t);
  t.is(site.a.read('/proc/fs/nfsd/threads'), '0\n');
  await a.process.finish();
  t.is(site.a.read('/proc/fs/nfsd/threads'), '8\n');
  t.is(a.process.state?.phase, 'started');
});

test('a node whose own start takes a minute sees beside it when the others start, and is late by that alone', async (t) => {
  let clock = 0;
  let reads = 0;
  let other: Phase = 'refusing';
  const effects: Effects = {
    now: () => clock,
    members: () => ({ self: 0, connected: new Set([1]) }),
    readNotes: () => {
      reads += 1;
      return new Map([[1, { generation: 1, phase: other, behind: nobodyBehind, beat: reads }]]);
    },
    writeNote: () => undefined,
    wanted: () => undefined,
    isRebooted: () => false,
    lockManager: async () => 'up',
    closedSince: () => undefined,
    noteClosed: () => undefined,
    inGrace: async () => true,
    expectUp: async () => undefined,
    refuse: async () => undefined,
    refuses: async () => true,
    letThrough: async () => undefined,
    stop: async () => void (other = 'stopped'),
    start: async () => {
      clock += 60_000;
      const before = reads;
      const isOver = (round: number) => round >= 200 || reads !== before;
      // Without a look beside it: ten seconds.
      for (let round = 0; !isOver(round); round += 1) await new Promise((resolve) => setTimeout(resolve, 50));
      other = 'started';
    },
    notify: async () => undefined,
    say: () => undefined,
    looked: () => undefined,
    delay: async () => undefined,
  };
  const barrier = new BarrierProcess(effects, usualLimits);
  while (barrier.state?.phase !== 'started') await barrier.look();
  await barrier.look();
  t.deepEqual([barrier.state.generation, barrier.state.phase], [1, 'started']);
});
