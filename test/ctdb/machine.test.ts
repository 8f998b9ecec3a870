// The barrier in a model of a cluster (helpers/cluster.ts): what must never be, and what must be in the end, whatever happens.
import test from 'ava';
import fc from 'fast-check';
import {
  type Act,
  decide,
  done,
  type Found,
  initialState,
  lookBeside,
  refusalMs,
  type State,
} from '../../src/ctdb/machine.js';
import { nobodyBehind, type Note, type Phase } from '../../src/ctdb/note.js';
import {
  type Broken,
  Cluster,
  type Disturbance,
  graceMs,
  limits,
  noticedMs,
  type Pace,
} from './helpers/cluster.js';

const duration = (max: number) => fc.integer({ min: 100, max });
const pace = fc.record<Pace>({
  refuse: fc.array(duration(1000), { minLength: 3, maxLength: 6 }),
  stop: fc.array(duration(2500), { minLength: 3, maxLength: 6 }),
  start: fc.array(duration(4000), { minLength: 3, maxLength: 6 }),
});
const nodes = fc.integer({ min: 1, max: 5 });
const when = fc.integer({ min: 0, max: 60_000 });
const node = fc.integer({ min: 0, max: 4 });
const disturbance = (what: readonly Disturbance['what'][], forMs: number) =>
  fc.record<Disturbance>({ at: when, node, what: fc.constantFrom(...what), forMs: duration(forMs) });
const moves = fc.array(disturbance(['event', 'event', 'found'], 100), { minLength: 1, maxLength: 6 });
const runs = {
  numRuns: process.env['NLM_FULL'] === '1' ? 10_000 : 150,
  includeErrorInReport: true,
  endOnFailure: true,
};
/** After that everything has come to an end, and so has a wait for it. */
const endMs = 60_000 + 400_000;

/** As slow as was seen on a busy machine. */
const slow: Pace = { refuse: [500, 1000], stop: [1500, 2500], start: [2500, 4000] };
/** As many troubles as the waits allow for: one of each node, shorter than `waitMs` together with what its acts take. */
const mild = fc
  .uniqueArray(disturbance(['hang', 'kill', 'part', 'die'], 3000), {
    selector: (one) => one.node,
    maxLength: 4,
  })
  .map((all) => all.map((one) => (one.what === 'die' ? { ...one, forMs: one.forMs + 20_000 } : one)));

test('nobody grants what the clients of another node have not reclaimed', (t) => {
  fc.assert(
    fc.property(nodes, pace, moves, mild, (count, speeds, events, troubles) => {
      const cluster = new Cluster(count, speeds);
      cluster.run([...events, ...troubles], endMs);
      if (cluster.wrong.length > 0 || !cluster.isQuiet) throw new Error(cluster.text());
    }),
    runs,
  );
  t.pass();
});

test('whatever happens, no node stays closed, and all who live serve in the end', (t) => {
  const wild = fc.array(disturbance(['hang', 'kill', 'die', 'part', 'blind', 'flush'], 80_000), {
    maxLength: 10,
  });
  fc.assert(
    fc.property(nodes, pace, moves, wild, (count, speeds, events, troubles) => {
      const cluster = new Cluster(count, speeds);
      cluster.run([...events, ...troubles], endMs + 160_000);
      if (!cluster.isQuiet) throw new Error(cluster.text());
      for (const { pnn, longestClosed } of cluster.nodes)
        if (longestClosed > limits.closedMs + limits.waitMs)
          throw new Error(`node ${pnn} was closed for ${longestClosed} ms: ${cluster.text()}`);
    }),
    runs,
  );
  t.pass();
});

test('one event: every node refuses, stops and starts once, in one generation', (t) => {
  const cluster = new Cluster(3, slow);
  cluster.run([{ at: 0, node: 1, what: 'event', forMs: 100 }], endMs);
  t.deepEqual(cluster.wrong, []);
  t.deepEqual(
    cluster.nodes.map(({ state, acts }) => [state?.generation, acts]),
    cluster.nodes.map(() => [1, ['refuse', 'stop', 'start']]),
  );
});

test('CTDB says the same on every node, within half a second: one generation', (t) => {
  const cluster = new Cluster(4, slow);
  cluster.run(
    [0, 200, 300, 500].map((at, one) => ({ at, node: one, what: 'event', forMs: 100 })),
    endMs,
  );
  t.deepEqual(
    cluster.nodes.map(({ state }) => state?.generation),
    [1, 1, 1, 1],
  );
});

test('an address that is found to have moved, which no event has said, waits until no grace runs', (t) => {
  const cluster = new Cluster(3, slow);
  cluster.run(
    [
      { at: 0, node: 1, what: 'event', forMs: 100 },
      { at: 15_000, node: 2, what: 'found', forMs: 100 },
    ],
    endMs,
  );
  t.deepEqual(cluster.wrong, []);
  t.deepEqual(
    cluster.nodes.map(({ acts }) => acts.length),
    [6, 6, 6],
  );
  for (const { startedAt } of cluster.nodes) t.true((startedAt[1] ?? 0) - (startedAt[0] ?? 0) > graceMs);
});

test('an event in a grace begins a new generation at once', (t) => {
  const cluster = new Cluster(3, slow);
  cluster.run(
    [
      { at: 0, node: 1, what: 'event', forMs: 100 },
      { at: 15_000, node: 2, what: 'event', forMs: 100 },
    ],
    endMs,
  );
  t.deepEqual(cluster.wrong, []);
  for (const { startedAt } of cluster.nodes) t.true((startedAt[1] ?? 0) - (startedAt[0] ?? 0) < graceMs);
});

test('a node that hangs is left behind and named, and when it is back all do it again with it', (t) => {
  const cluster = new Cluster(3, slow);
  const events: Disturbance[] = [
    { at: 0, node: 0, what: 'event', forMs: 100 },
    { at: 0, node: 1, what: 'hang', forMs: 30_000 },
  ];
  cluster.run(events, 25_000);
  t.deepEqual(cluster.nodes[0]?.state?.behind.refusing, [1]);
  t.is(cluster.nodes[0]?.state?.phase, 'started');
  cluster.run([], endMs);
  t.deepEqual(
    cluster.nodes.map(({ acts }) => acts),
    [
      ['refuse', 'stop', 'start', 'refuse', 'stop', 'start'],
      ['refuse', 'stop', 'start'],
      ['refuse', 'stop', 'start', 'refuse', 'stop', 'start'],
    ],
  );
  t.true(cluster.isQuiet);
});

test('a dead node that CTDB has not noticed yet costs one wait, and one that it has, none', (t) => {
  const dies: Disturbance = { at: 0, node: 2, what: 'die', forMs: 10 * endMs };
  const startsAfter = (events: readonly Disturbance[]) => {
    const cluster = new Cluster(3, slow);
    cluster.run([dies, ...events], noticedMs + limits.waitMs);
    return cluster.nodes[0]?.startedAt[0] ?? 0;
  };
  t.true(startsAfter([{ at: 1000, node: 0, what: 'event', forMs: 100 }]) > 1000 + limits.waitMs);
  const noticed = startsAfter([]);
  t.true(noticed > noticedMs && noticed < noticedMs + limits.waitMs, `${noticed}`);
});

test('a machine that dies when it has stopped: the others wait for it once, and start', (t) => {
  const cluster = new Cluster(3, { refuse: [100], stop: [100], start: [3000] });
  cluster.run(
    [
      { at: 0, node: 0, what: 'event', forMs: 100 },
      { at: 600, node: 2, what: 'die', forMs: 10 * endMs },
    ],
    100_000,
  );
  t.deepEqual(cluster.wrong, []);
  t.true(cluster.isQuiet);
});

test('the counter-proofs: without one of its rules, the properties see a lock given away', (t) => {
  const event: Disturbance = { at: 0, node: 0, what: 'event', forMs: 100 };
  const uneven: Pace = { refuse: [100, 2500], stop: [100, 600, 1100], start: [100, 4000] };
  const without = (broken: Broken) => {
    const cluster = new Cluster(3, uneven, broken);
    cluster.run([event], endMs);
    return cluster.wrong.join('\n');
  };
  t.is(without({}), '');
  t.regex(without({ refusesNothing: true }), /grants what clients of node/);
  t.regex(
    without({ change: (act, { phase }) => (act === 'none' && phase === 'refusing' ? 'stop' : act) }),
    /grants what clients of node/,
  );
  t.regex(
    without({ change: (act, { phase }) => (act === 'none' && phase === 'stopped' ? 'start' : act) }),
    /has its locks still/,
  );
});

test('a stop that fails again and again: it opens in the end, with its locks, and tries again later', (t) => {
  const others = new Map([[1, { generation: 3, phase: 'stopped', behind: nobodyBehind, beat: 1 } as const]]);
  let state: State = { ...atWork('refusing', 3), closedSince: 0 };
  const seen = { notes: others, connected: new Set([1]), wanted: undefined, inGrace: false };
  const acts: Act[] = [];
  for (let now = 1000; now <= limits.closedMs; now += 1000) {
    const decision = decide(state, { ...seen, now }, limits);
    acts.push(decision.act);
    state = done(decision.state, decision.act, decision.act !== 'stop', now, limits);
  }
  t.deepEqual([...new Set(acts)], ['stop', 'open']);
  t.is(state.phase, 'idle');
  t.is(decide(state, { ...seen, now: limits.closedMs + 1000 }, limits).act, 'none');
  t.true(state.generation < 3);
});

test('a refusal that fails for as long as the others wait is given up', (t) => {
  let state = atWork('called', 3);
  state = done(state, 'refuse', false, limits.waitMs - 1, limits);
  t.is(state.phase, 'called');
  state = done(state, 'refuse', false, limits.waitMs, limits);
  t.deepEqual([state.phase, state.generation, state.missed], ['idle', 2, 3]);
});

test('whom another node has given up waiting for, this one does not wait for either, where it sees the same', (t) => {
  const claim = { refusing: [2, 77], stopped: [] };
  /** What this node does 7 s after its first look, in which node 2 is idle; that node's note changes, or not. */
  const after = (behind: Note['behind'], lives: boolean, phase: Phase = 'stopped') => {
    const look = (state: State, now: number, beat: number) => {
      const notes = new Map<number, Note>([
        [1, { generation: 3, phase, behind, beat: now }],
        [2, { generation: 2, phase: 'idle', behind: nobodyBehind, beat }],
      ]);
      const seen = { now, notes, connected: new Set([1, 2]), wanted: undefined, inGrace: false };
      return decide(state, seen, limits);
    };
    const first = look({ ...atWork('refusing', 3), closedSince: 0 }, 1000, 1);
    t.is(first.act, 'none', 'a word alone');
    return look(first.state, 8000, lives ? 2 : 1);
  };
  t.is(after(nobodyBehind, false).act, 'none');
  const silent = after(claim, false);
  t.is(silent.act, 'stop');
  t.deepEqual(silent.state.behind, { refusing: [2], stopped: [] }, 'nobody else is named by that');
  const living = after(claim, true);
  t.is(living.act, 'none', 'it lives, and grants');
  t.deepEqual(living.state.behind, nobodyBehind);
  t.deepEqual(
    after(claim, false, 'called').state.behind,
    nobodyBehind,
    'who has not refused has waited for nobody',
  );
});

test('whoever was left behind, and has caught up, is waited for again', (t) => {
  const notes = (generation: number, phase: Phase) =>
    new Map([[2, { generation, phase, behind: nobodyBehind, beat: 1 }]]);
  const seen = { now: 1000, connected: new Set([2]), wanted: undefined, inGrace: false };
  const stopped = { ...atWork('stopped', 3), behind: { refusing: [2], stopped: [] } };
  t.is(decide(stopped, { ...seen, notes: notes(2, 'idle') }, limits).act, 'start');
  t.is(decide(stopped, { ...seen, notes: notes(3, 'refusing') }, limits).act, 'none');
  t.is(decide(stopped, { ...seen, notes: notes(3, 'stopped') }, limits).act, 'start');
});

test('whoever is too late again and again begins no generation each time: it opens, and waits longer', (t) => {
  const started = new Map([[1, { generation: 3, phase: 'started', behind: nobodyBehind, beat: 1 } as const]]);
  const now = limits.spreadMs + 1000;
  const seen = { now, notes: started, connected: new Set([1]), wanted: undefined, inGrace: false };
  const refusing = { ...atWork('refusing', 3), closedSince: 0 };
  const first = decide(refusing, seen, limits);
  t.is(first.state.generation, 4);
  t.is(first.state.late.notBefore, now + limits.retryMs);
  const late = { times: 1, notBefore: now + 1 };
  t.is(decide({ ...refusing, late }, seen, limits).act, 'open');
  t.is(decide({ ...atWork('stopped', 3), late }, seen, limits).act, 'start', 'its locks are gone already');
  t.is(decide({ ...atWork('called', 3), late }, seen, limits).state.phase, 'idle');
  const again = decide({ ...refusing, late: { times: 1, notBefore: now } }, seen, limits);
  t.is(again.state.late.notBefore, now + 2 * limits.retryMs);
});

test('whoever has started later than the grace of the others covers, has all do it again; who has started first, not', (t) => {
  const slowly = done(atWork('stopped', 3), 'start', true, limits.spreadMs + 1, limits);
  const look = (phase: Phase) =>
    decide(
      slowly,
      {
        now: limits.spreadMs + 2,
        notes: new Map([[1, { generation: 3, phase, behind: nobodyBehind, beat: 1 }]]),
        connected: new Set([1]),
        wanted: undefined,
        inGrace: true,
      },
      limits,
    ).state;
  t.deepEqual([look('started').generation, look('started').phase], [4, 'called']);
  t.deepEqual([look('stopped').generation, look('stopped').phase], [3, 'started']);
  const inTime = done(atWork('stopped', 3), 'start', true, limits.spreadMs, limits);
  t.true(inTime.missed < 3);
});

test('a node whose own start takes long is late by when the others started, which it sees beside it', (t) => {
  const begun = 2 * limits.spreadMs;
  const other = (phase: Phase, beat: number) => ({
    notes: new Map([[1, { generation: 3, phase, behind: nobodyBehind, beat }]]),
    connected: new Set([1]),
  });
  const seen = [
    { now: begun - 1000, ...other('stopped', 1) },
    { now: begun, ...other('started', 2) },
  ].reduce((state, look) => lookBeside(state, look, limits), atWork('stopped', 3));
  const after = (state: State, ms: number) => done(state, 'start', true, begun - 1000 + ms, limits).missed;
  t.true(after(seen, limits.spreadMs) < 3);
  t.is(after(seen, limits.spreadMs + 1), 3);
  t.is(after(atWork('stopped', 3), 0), 3, 'without those looks');
  t.deepEqual(lookBeside(seen, { now: 0, notes: undefined, connected: new Set() }, limits), seen);
});

test('what was let through while it should be refused has all begin anew, and nobody refuses longer by that', (t) => {
  const notes = new Map<number, Note>([
    [1, { generation: 3, phase: 'stopped', behind: nobodyBehind, beat: 1 }],
    [2, { generation: 2, phase: 'idle', behind: nobodyBehind, beat: 1 }],
  ]);
  const seen = { notes, connected: new Set([1, 2]), wanted: undefined, inGrace: false };
  const refusing = { ...atWork('refusing', 3), closedSince: 0 };
  const open = decide(refusing, { ...seen, now: 1000, wasOpen: true }, limits);
  t.deepEqual(
    [open.state.generation, open.state.phase, open.state.closedSince, open.act],
    [4, 'called', 0, 'none'],
  );
  const again = (now: number) => decide(open.state, { ...seen, now }, limits).act;
  t.is(again(1200), 'refuse');
  t.is(again(limits.closedMs), 'open');
  const stopped = decide(
    { ...atWork('stopped', 3), closedSince: 0 },
    { ...seen, now: 1000, wasOpen: true },
    limits,
  );
  t.is(stopped.state.generation, 3, 'it has nothing that it could grant');
});

test('a process goes on by what is so', (t) => {
  const note = (phase: Phase) => ({ generation: 7, phase, behind: nobodyBehind, beat: 9 });
  const begin = (phase: Phase, lockManager: Found['lockManager'], isRebooted = false) => {
    const found = { now: 1000, note: note(phase), isRebooted, lockManager, closedSince: undefined };
    const state = initialState(found);
    return [state.phase, state.generation];
  };
  t.deepEqual(begin('idle', 'up'), ['idle', 7]);
  t.deepEqual(begin('gone', 'up', true), ['idle', 7]);
  t.deepEqual(begin('started', 'up'), ['started', 7]);
  t.deepEqual(begin('refusing', 'up'), ['called', 7], 'the refusal has ended by itself');
  t.deepEqual(begin('refusing', 'refusing'), ['refusing', 7]);
  t.deepEqual(begin('called', 'refusing'), ['refusing', 7], 'killed before it could say so');
  t.deepEqual(begin('refusing', 'down'), ['stopped', 7], 'killed before it could say so');
  t.deepEqual(begin('stopped', 'up'), ['called', 7], 'somebody else has started it');
  t.deepEqual(begin('stopped', 'up', true), ['idle', 6], 'its locks are gone, and it is in grace');
  const first = initialState({
    now: 0,
    note: undefined,
    isRebooted: true,
    lockManager: 'up',
    closedSince: undefined,
  });
  t.deepEqual([first.phase, first.generation], ['idle', 0]);
});

test('without its storage a node that refuses opens in the end, and one that has stopped starts', (t) => {
  const blind = { notes: undefined, connected: new Set([1]), wanted: undefined, inGrace: false };
  const act = (phase: Phase, now: number) =>
    decide({ ...atWork(phase, 3), closedSince: 0 }, { ...blind, now }, limits).act;
  t.is(act('refusing', limits.closedMs - 1), 'none');
  t.is(act('refusing', limits.closedMs), 'open');
  t.is(act('stopped', limits.closedMs - 1), 'none');
  t.is(act('stopped', limits.closedMs), 'start');
});

test('the refusal of the kernel ends in time, however often it is renewed', (t) => {
  t.is(refusalMs({ closedSince: undefined }, 5, limits), limits.ruleMs);
  t.is(refusalMs({ closedSince: 0 }, 1000, limits), limits.ruleMs);
  t.is(refusalMs({ closedSince: 0 }, limits.closedMs, limits), limits.waitMs);
  t.is(refusalMs({ closedSince: 0 }, 10 * limits.closedMs, limits), 0);
});

function atWork(phase: Phase, generation: number): State {
  const note = { generation, phase, behind: nobodyBehind, beat: 1 };
  const state = initialState({ now: 0, note, isRebooted: false, lockManager: 'up', closedSince: undefined });
  return { ...state, phase, watched: { generation, noneStartedAt: 0 } };
}
