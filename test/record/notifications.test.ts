import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { event, makeSite, Site, wall } from './helpers/site.js';

const seconds = wall / 1000;

test('a grace makes a new odd state and the list of whom it is owed to', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  t.is(record.nsmState(), undefined);
  await site.serve(record, { fsids: ['1', '2'] });
  site.append('A', event('add-client', 'c'), event('add-client', 'd'));
  record.fold();
  t.deepEqual(record.untold(), []);
  const state = record.beginGrace({ now: wall });
  t.is(state, seconds + 1);
  t.is(record.nsmState(), state);
  t.deepEqual(record.untold(), ['c', 'd']);
  record.markTold(['d', 'nobody'], wall + 1);
  t.deepEqual(record.untold(), ['c']);
  t.deepEqual(record.notifyCounts(), { told: 1, untold: 1 });
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
  t.deepEqual(record.untold(), ['c']);
  record.beginGrace({ now: wall });
  t.deepEqual(record.untold(), ['d']);
});

test('an answer to an earlier state counts for nothing', async (t) => {
  const site = makeSite(t);
  const [slow, fast] = [site.open(), site.open()];
  await site.serve(slow);
  site.append('A', event('add-client', 'c'));
  slow.fold();
  slow.beginGrace({ now: wall });
  t.deepEqual(slow.untold(), ['c']);
  fast.beginGrace({ now: wall });
  slow.markTold(['c'], wall);
  t.deepEqual(fast.untold(), ['c']);
  fast.markTold(['c'], wall);
  t.deepEqual(fast.untold(), []);
});

/** Begins a grace at each of the times; undefined restores the database as it was after the first one. */
function statesAt(times: readonly (number | undefined)[]): number[] {
  const site = new Site();
  const file = join(site.directory, 'monitors.db');
  const backup = join(site.state, 'backup');
  try {
    let record = site.open();
    const states = [record.beginGrace({ now: wall })];
    record.close();
    copyFileSync(file, backup);
    record = site.open();
    for (const now of times) {
      if (now !== undefined) {
        states.push(record.beginGrace({ now }));
        continue;
      }
      record.close();
      copyFileSync(backup, file);
      record = site.open();
    }
    return states;
  } finally {
    site.remove();
  }
}

test('states are odd, fit an unsigned int, and never repeat, whatever the clock does', (t) => {
  const anyTime = fc.oneof(
    fc.nat({ max: 4_294_000_000_000 }),
    fc.integer({ min: wall - 9000, max: wall + 9000 }),
  );
  fc.assert(
    fc.property(fc.array(anyTime, { maxLength: 12 }), (times) => {
      const states = statesAt(times);
      t.is(new Set(states).size, states.length);
      for (const state of states) t.true(Number.isInteger(state) && state % 2 === 1 && state <= 0xffffffff);
    }),
    { numRuns: 40 },
  );
});

test('nor whichever backup is restored, with a clock that runs', (t) => {
  // At least two seconds from one takeover to the next, as a state counts on two.
  const later = fc.option(fc.integer({ min: 2000, max: 100_000_000 }), { freq: 3 });
  fc.assert(
    fc.property(fc.array(later, { maxLength: 12 }), (steps) => {
      let now = wall;
      const states = statesAt(steps.map((step) => (step === null ? undefined : (now += step))));
      t.is(new Set(states).size, states.length);
    }),
    { numRuns: 40 },
  );
});
