// A record that is moved away while a command of another node has it open.
import assert from 'node:assert/strict';
import Database from 'better-sqlite3';
import test from 'ava';
import type { MonitorRecord } from '../../src/record/record.js';
import { holdDirectory } from '../../src/record/safe-files/held-directory.js';
import { markMoved } from '../../src/record/safe-files/moved-mark.js';
import { makeSite, type Site, wall } from './helpers/site.js';

const refused = { code: 'RECORD_MOVED' };
const B = { node: 'B', fenced: false, now: wall + 1 };

/** What a move does last, under the lock of the database. */
function mark({ directory }: Site): void {
  const held = holdDirectory(directory);
  if (held === undefined) throw new Error('no record');
  markMoved(held, '/elsewhere/sm_10.10.1.1');
  held.close();
}

/** Runs `use`, and `moved` at the start of its transaction of that number: right after the wait for the lock. Whether there was one. */
function movedAt(number: number, moved: () => void, use: () => void): boolean {
  const original = Reflect.get(Database.prototype, 'transaction') as (
    this: Database.Database,
    run: () => unknown,
  ) => unknown;
  let [count, depth] = [0, 0];
  Reflect.set(
    Database.prototype,
    'transaction',
    function patched(this: Database.Database, run: () => unknown) {
      return original.call(this, () => {
        if (depth === 0 && ++count === number) moved();
        depth += 1;
        try {
          return run();
        } finally {
          depth -= 1;
        }
      });
    },
  );
  try {
    use();
  } finally {
    Reflect.set(Database.prototype, 'transaction', original);
  }
  return count >= number;
}

function released(site: Site): void {
  const a = site.open('A');
  a.setReleased('A', a.claim({ node: 'A', fenced: false, now: wall }), true);
}

test('nobody becomes the owner, or passes for it, in one that was moved before', (t) => {
  const site = makeSite(t);
  const b = site.open('B');
  b.claim(B);
  mark(site);
  const error = t.throws(() => b.assertOwner('B', 1), refused);
  t.like(error, { exitCode: 3 });
  t.throws(() => b.claim(B), refused);
  t.throws(() => b.setReleased('B', 1, true), refused);
});

test('nor in one that is moved while the claim waits for its lock', (t) => {
  for (let number = 1; ; number += 1) {
    const site = makeSite(t);
    released(site);
    const b = site.open('B');
    const isReached = movedAt(
      number,
      () => mark(site),
      () => {
        try {
          b.claim(B);
        } catch (error) {
          t.like(error, refused);
          return;
        }
        t.is(b.ownership().owner, 'B');
      },
    );
    if (!isReached) {
      t.true(number > 1);
      return;
    }
    t.throws(() => b.ownership(), refused);
    const looked = new Database(`${site.directory}/monitors.db`, { readonly: true });
    t.is(looked.prepare<[], string>('SELECT owner FROM ownership').pluck().get(), 'A', `${number}`);
    looked.close();
  }
});

for (const [what, write] of [
  ['anything', (record: MonitorRecord) => record.exclusively('writing', () => assert.fail())],
  ['that it has let go', (record: MonitorRecord) => record.setReleased('A', 1, true)],
] as const) {
  test(`nor is ${what} written as its owner`, (t) => {
    const site = makeSite(t);
    const a = site.open('A');
    a.claim({ node: 'A', fenced: false, now: wall });
    const writeRefused = () => t.throws(() => write(a), refused);
    t.true(
      movedAt(
        1,
        () => mark(site),
        () => writeRefused(),
      ),
    );
  });
}
