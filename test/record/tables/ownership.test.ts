import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { openDatabase } from '../../../src/record/database/database.js';
import { migrations } from '../../../src/record/database/schema.js';
import { FailoverError } from '../../../src/errors.js';
import { openRecord } from '../../../src/record/record.js';
import { makeEmptyFile } from '../../../src/record/safe-files/record-directory.js';
import { makeSite, wall } from '../helpers/site.js';
import { startProcess } from '../helpers/process.js';

const A = { node: 'A', fenced: false, now: wall };
const B = { node: 'B', fenced: false, now: wall + 1 };

test('nobody, the first owner, the same again', (t) => {
  const record = makeSite(t).open();
  t.deepEqual(record.ownership(), {
    owner: undefined,
    machine: undefined,
    epoch: 0,
    released: true,
    since: undefined,
  });
  t.throws(() => record.assertOwner('A', 0), { code: 'NOT_OWNER' });
  t.is(record.claim(A), 1);
  t.deepEqual(record.ownership(), { owner: 'A', machine: 'one', epoch: 1, released: false, since: wall });
  t.is(record.claim({ ...A, now: wall + 9 }), 1);
  t.is(record.ownership().since, wall);
  t.notThrows(() => record.assertOwner('A', 1));
});

test('another node, once the owner has released', (t) => {
  const site = makeSite(t);
  const [a, b] = [site.open('A'), site.open('B')];
  const epoch = a.claim(A);
  t.throws(() => b.claim(B), { code: 'NOT_RELEASED' });
  t.is(a.ownership().epoch, epoch);
  a.setReleased('A', epoch, true);
  t.is(b.claim(B), 2);
  t.throws(() => a.assertOwner('A', epoch), { code: 'NOT_OWNER' });
  t.throws(() => a.setReleased('A', epoch, true), { code: 'NOT_OWNER' });
  t.false(b.ownership().released);
});

test('exit code 4, for scripts', (t) => {
  const record = makeSite(t).open();
  record.claim(A);
  t.like(
    t.throws(() => record.claim(B)),
    { exitCode: 4 },
  );
  t.like(
    t.throws(() => record.assertOwner('A', 2)),
    { exitCode: 4 },
  );
});

test('whoever never had the address is told whose it is, and where to run the command', (t) => {
  const record = makeSite(t).open();
  record.claim(A);
  const error = t.throws(() => record.assertOwner('B', 1), { instanceOf: FailoverError });
  t.is(error.message, 'node A owns the address (epoch 1); this node does not');
  t.regex(error.hint ?? '', /^Run it on A\. .*"nlm-failover status 10\.10\.1\.1"/);
  const refused = t.throws(() => record.claim(B), { instanceOf: FailoverError });
  t.regex(refused.hint ?? '', /^Run "nlm-failover release 10\.10\.1\.1" on A\./);
});

test('another node, which vouches that the owner is dead', (t) => {
  const record = makeSite(t).open();
  record.claim(A);
  t.is(record.claim({ ...B, fenced: true }), 2);
  // The dead one was not dead.
  t.throws(() => record.assertOwner('A', 1), { code: 'NOT_OWNER' });
  t.throws(() => record.claim(A), { code: 'NOT_RELEASED' });
});

test('who died with what every node exports is known to each owner, until it is dealt with', (t) => {
  const record = makeSite(t).open();
  const take = (node: string, isShared = true) => record.claim({ node, fenced: true, now: wall, isShared });
  take('A');
  t.deepEqual(record.takenFrom(), []);
  take('B');
  take('C');
  t.deepEqual(record.takenFrom(), ['A', 'B']);
  record.setReleased('C', take('C'), true);
  take('B');
  t.deepEqual(record.takenFrom(), ['A'], 'nobody has died with his own locks in the way');
  const epoch = take('D');
  t.deepEqual(record.takenFrom(), ['A', 'B']);
  record.settleTakeover(epoch);
  take('A', false);
  t.deepEqual(record.takenFrom(), []);
});

test('the same node, after it has released: a new epoch', (t) => {
  const record = makeSite(t).open();
  record.setReleased('A', record.claim(A), true);
  t.is(record.claim(A), 2);
});

test('A, B, A: the epoch of the first time is not that of the second', (t) => {
  const record = makeSite(t).open();
  record.setReleased('A', record.claim(A), true);
  record.setReleased('B', record.claim(B), true);
  record.claim(A);
  t.throws(() => record.assertOwner('A', 1), { code: 'NOT_OWNER' });
});

test('two machines of one name are two nodes', (t) => {
  const site = makeSite(t);
  const [one, two] = [site.open('A', 'one'), site.open('A', 'two')];
  one.claim(A);
  const error = t.throws(() => two.claim(A), { code: 'NOT_RELEASED' });
  t.regex(error.message, /^another machine that is called A too owns the address \(epoch 1\)/u);
  t.throws(() => two.assertOwner('A', 1), { code: 'NOT_OWNER' });
  t.throws(() => two.setReleased('A', 1, true), { code: 'NOT_OWNER' });
  t.is(two.claim({ ...A, fenced: true }), 2);
  t.throws(() => one.assertOwner('A', 2), { code: 'NOT_OWNER' });
  t.throws(() => one.claim(A), { code: 'NOT_RELEASED' });
  two.setReleased('A', 2, true);
  t.is(one.claim(A), 3);
});

test('a machine without an id is not one that has an id', (t) => {
  const site = makeSite(t);
  site.open('A', 'one').claim(A);
  const none = openRecord({ directory: site.directory, node: 'A', create: true });
  t.teardown(() => none.close());
  t.throws(() => none.claim(A), { code: 'NOT_RELEASED' });
  t.throws(() => none.assertOwner('A', 1), { code: 'NOT_OWNER' });
});

test('a record of the former schema: its owner goes on and lets go, and takes over after that or with --fenced', (t) => {
  const release = (record: ReturnType<typeof formerRecord>) => {
    record.setReleased('A', 7, true);
    return record.claim(A);
  };
  const fence = (record: ReturnType<typeof formerRecord>) => record.claim({ ...A, fenced: true });
  for (const wayOn of [release, fence]) {
    const record = formerRecord(makeSite(t));
    t.deepEqual(record.ownership(), {
      owner: 'A',
      machine: undefined,
      epoch: 7,
      released: false,
      since: wall,
    });
    t.notThrows(() => record.assertOwner('A', 7));
    const error = t.throws(() => record.claim(A), { code: 'NOT_RELEASED' });
    t.regex(error.message, /a node called A owns .* does not say which machine that is/u);
    t.throws(() => record.claim(B), { code: 'NOT_RELEASED', message: /^node A owns/u });
    t.is(wayOn(record), 8);
    t.is(record.ownership().machine, 'one');
    t.is(record.claim(A), 8);
  }
});

/** As a version left it that did not note the machine: A has the address in epoch 7. */
function formerRecord(site: ReturnType<typeof makeSite>) {
  mkdirSync(site.directory, { mode: 0o711 });
  makeEmptyFile(join(site.directory, 'monitors.db'));
  const steps = migrations.findIndex((step) => step.includes('ADD COLUMN machine'));
  const former = openDatabase(join(site.directory, 'monitors.db'), migrations.slice(0, steps));
  former.prepare('UPDATE ownership SET owner = ?, epoch = 7, released = 0, since = ?').run('A', wall);
  former.close();
  return site.open('A', 'one');
}

test('of two processes that claim at once exactly one wins', async (t) => {
  for (let round = 0; round < 10; round += 1) {
    const site = makeSite(t);
    const before = site.open();
    before.setReleased('A', before.claim(A), true);
    const claimants = ['B', 'C'].map((node) => startProcess(t, 'claim.js', [site.directory, node]));
    for (const claimant of claimants) t.is(await claimant.line(), 'ready');
    for (const claimant of claimants) claimant.write('go\n');
    const outcomes = await Promise.all(claimants.map(async (claimant) => await claimant.line()));
    t.deepEqual(outcomes.toSorted(), ['2', 'NOT_RELEASED']);
    t.is(before.ownership().owner, outcomes[0] === '2' ? 'B' : 'C');
  }
});

test('what belongs to an epoch is written as long as that lasts, and not when another node has claimed', (t) => {
  const site = makeSite(t);
  const [a, b] = [site.open('A'), site.open('B')];
  const epoch = a.claim(A);
  t.is(
    a.whileEpochLasts('writing', epoch, () => 'written'),
    'written',
  );
  b.claim({ ...B, fenced: true });
  const written: string[] = [];
  t.is(
    a.whileEpochLasts('writing', epoch, () => written.push('late')),
    undefined,
  );
  t.deepEqual(written, []);
});
