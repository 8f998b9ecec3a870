// The states of 2,000 sequences each instead of 40: NLM_FULL=1 npx ava build/test/record/tables/notifications.test.js
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { notificationsOf } from '../../../src/nsm/notify/sm-notify.js';
import { event, makeSite, Site, wall } from '../helpers/site.js';

const seconds = wall / 1000;

test('a grace makes a new odd state and the list of whom it is owed to', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  t.is(record.nsmState(), undefined);
  await site.serve(record, { fsids: ['1', '2'] });
  site.append('A', event('add-client', 'c'), event('add-client', 'd'));
  record.fold();
  t.deepEqual(record.toNotify(), []);
  const state = record.beginGrace({ now: wall });
  t.is(state, seconds + 1);
  t.is(record.nsmState(), state);
  t.deepEqual(record.toNotify(), ['c', 'd']);
  record.markNotified(['d', 'nobody'], wall + 1);
  t.deepEqual(record.toNotify(), ['c']);
  t.deepEqual(record.notifyCounts(), { notified: 1, notNotified: 1 });
});

test('who comes later is not on the list; who is on it stays, whatever del-client says', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  site.append('A', event('add-client', 'c'));
  record.fold();
  record.beginGrace({ now: wall });
  site.append('A', event('add-client', 'd'), event('del-client', 'c'));
  record.fold();
  t.deepEqual(record.toNotify(), ['c']);
  record.beginGrace({ now: wall });
  t.deepEqual(record.toNotify(), ['d']);
});

test('an answer to an earlier state counts for nothing', async (t) => {
  const site = makeSite(t);
  const [slow, fast] = [site.open(), site.open()];
  await site.serve(slow);
  site.append('A', event('add-client', 'c'));
  slow.fold();
  slow.beginGrace({ now: wall });
  t.deepEqual(slow.toNotify(), ['c']);
  fast.beginGrace({ now: wall });
  slow.markNotified(['c'], wall);
  t.deepEqual(fast.toNotify(), ['c']);
  fast.markNotified(['c'], wall);
  t.deepEqual(fast.toNotify(), []);
});

test('of some alone: who was owed the state before is still, the others are not listed, and who is named comes first', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  site.append('A', ...['owed', 'told', 'named', 'both', 'quiet'].map((name) => event('add-client', name)));
  record.fold();
  const first = record.beginGrace({ now: wall });
  record.markNotified(['told', 'named', 'quiet'], wall + 1);
  t.deepEqual(record.toNotify(), ['both', 'owed']);
  const state = record.beginGrace({ now: wall, only: ['named', 'both', 'stranger', 'named'] });
  t.true(state > first, 'those who are owed get the new one');
  t.deepEqual(record.toNotify(), ['both', 'named', 'owed']);
  t.deepEqual(record.notifyCounts(), { notified: 0, notNotified: 3 });
  record.markNotified(['owed', 'both'], wall + 2);
  t.deepEqual(record.toNotify(), ['named']);
  // Later graces of the whole list have everybody again, and know who was seen.
  record.beginGrace({ now: wall });
  t.deepEqual(record.toNotify().toSorted(), ['both', 'named', 'owed', 'quiet', 'told']);
});

test('of some alone, who is owed since long ago comes after who is named', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  site.append('A', event('add-client', 'a-dead'));
  record.fold();
  for (let graces = 0; graces < 4; graces += 1) record.beginGrace({ now: wall });
  site.append('A', event('add-client', 'z-alive'));
  record.fold();
  record.beginGrace({ now: wall, only: ['z-alive'] });
  t.deepEqual(record.toNotify(), ['z-alive', 'a-dead']);
  t.is(record.seenToNotify(), 1);
  record.beginGrace({ now: wall, only: ['a-dead'] });
  t.deepEqual(record.toNotify(), ['a-dead', 'z-alive'], 'both were named, and neither has answered');
});

test('of nobody: only those who were owed are', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  site.append('A', event('add-client', 'c'), event('add-client', 'd'));
  record.fold();
  record.beginGrace({ now: wall });
  record.markNotified(['c'], wall);
  record.beginGrace({ now: wall, only: [] });
  t.deepEqual(record.toNotify(), ['d']);
});

/** What happens to one address: a takeover by a node whose clock says `now`, or somebody restores a backup. */
type Event =
  | { readonly kind: 'takeover'; readonly node: 'A' | 'B'; readonly now: number }
  /** `backup`: which of those made after each takeover. `all`: the whole directory, not monitors.db alone. */
  | { readonly kind: 'restore'; readonly backup: number; readonly all: boolean };

/** The states that the takeovers among the events gave, in order; the first one is at `wall`. */
function statesOf(events: readonly Event[]): number[] {
  const site = new Site();
  const backupOf = (index: number) => join(site.state, `backup${index}`);
  try {
    const states: number[] = [];
    for (const happening of [{ kind: 'takeover', node: 'A', now: wall } as const, ...events]) {
      if (happening.kind === 'restore') {
        const backup = backupOf(happening.backup % states.length);
        if (happening.all) rmSync(site.directory, { recursive: true });
        cpSync(backup, site.directory, {
          recursive: true,
          filter: (from) => happening.all || from === backup || from.includes('monitors.db'),
        });
        continue;
      }
      const record = site.open(happening.node);
      record.claim({ node: happening.node, fenced: true, now: happening.now });
      states.push(record.beginGrace({ now: happening.now }));
      record.close();
      cpSync(site.directory, backupOf(states.length - 1), { recursive: true });
    }
    return states;
  } finally {
    site.remove();
  }
}

const numRuns = process.env['NLM_FULL'] === '1' ? 2000 : 40;
const node = fc.constantFrom('A' as const, 'B' as const);
/** Also 1970, 2038 and later, and a clock that repeats itself. */
const anyTime = fc.oneof(
  fc.nat({ max: 9_000_000_000_000 }),
  fc.integer({ min: wall - 9000, max: wall + 9000 }),
  fc.constantFrom(0, wall, 0x7fff_ffff_000, 0xffff_ffff_000),
);

function assertStates(t: ExecutionContext, states: readonly number[]): void {
  t.is(new Set(states).size, states.length, states.join());
  // What SM_NOTIFY refuses to send would leave every client not notified.
  for (const state of states) t.is(notificationsOf(['nfs1'], state).length, 1);
}

test('states can be sent and never repeat: two nodes, clocks that jump, backups of monitors.db restored', (t) => {
  const happening = fc.oneof(
    fc.record({ kind: fc.constant('takeover' as const), node, now: anyTime }),
    fc.record({
      kind: fc.constant('restore' as const),
      backup: fc.nat({ max: 12 }),
      all: fc.constant(false),
    }),
  );
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 12 }), (events) => assertStates(t, statesOf(events))),
    { numRuns },
  );
});

test('nor where the whole directory is restored, with clocks that run', (t) => {
  // At least two seconds from one takeover to the next, as a state counts on two.
  const step = fc.record({
    later: fc.integer({ min: 2000, max: 100_000_000 }),
    node,
    restore: fc.option(fc.record({ backup: fc.nat({ max: 12 }), all: fc.boolean() })),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      let now = wall;
      const events = steps.flatMap(({ later, node: by, restore }): Event[] => [
        ...(restore === null ? [] : [{ kind: 'restore' as const, ...restore }]),
        { kind: 'takeover', node: by, now: (now += later) },
      ]);
      assertStates(t, statesOf(events));
    }),
    { numRuns },
  );
});

test('a clock that said 2106 once does not end it: the next states can be sent', (t) => {
  const at = (now: number): Event => ({ kind: 'takeover', node: 'A', now });
  const states = statesOf([at(0xffff_ffff_000), at(wall), at(0x7f00_0000_000), at(wall)]);
  assertStates(t, states);
  t.true(Math.max(...states) < 0x7f01_0000);
});

test('a state from before, which cannot be sent, is left behind', (t) => {
  const site = makeSite(t);
  site.open().close();
  const db = new Database(join(site.directory, 'monitors.db'));
  db.prepare('UPDATE nsm SET state = 4294967295').run();
  db.close();
  t.is(site.open().beginGrace({ now: wall }), seconds + 1);
});

const given = (site: Site): string => join(site.directory, 'nsm-states');

test('what is in nsm-states but no state counts for nothing, and what a crash tore off is no part of the next', (t) => {
  for (const text of [
    '',
    '7',
    'x\n',
    '99999999999\n',
    '2147483647\n',
    '-5\n',
    '\0\n',
    '\n\n',
    '5000000000\n31',
  ]) {
    const site = makeSite(t);
    site.open().close();
    writeFileSync(given(site), text);
    const first = site.open().beginGrace({ now: wall });
    t.is(first, seconds + 1, JSON.stringify(text));
    rmSync(join(site.directory, 'monitors.db'));
    t.is(site.open().beginGrace({ now: 0 }), first + 2, JSON.stringify(text));
  }
});

test('only the end of a long nsm-states is read', (t) => {
  const site = makeSite(t);
  site.open().close();
  writeFileSync(given(site), `${'1\n'.repeat(100_000)}2000000001\n`);
  t.is(site.open().beginGrace({ now: wall }), 2_000_000_003);
});

test('nsm-states: mode 0600, and nothing is followed or waited for in its place', (t) => {
  const site = makeSite(t);
  const record = site.open();
  record.beginGrace({ now: wall });
  t.is(statSync(given(site)).mode & 0o7777, 0o600);
  for (const replace of [
    () => symlinkSync(join(site.state, 'elsewhere'), given(site)),
    () => mkdirSync(given(site)),
    () => execFileSync('mkfifo', [given(site)]),
  ]) {
    rmSync(given(site), { recursive: true });
    replace();
    t.throws(() => record.beginGrace({ now: wall }), { code: 'RECORD_UNSAFE' });
    t.is(record.nsmState(), seconds + 1);
  }
  t.false(existsSync(join(site.state, 'elsewhere')));
});
