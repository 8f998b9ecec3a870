import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { openDatabase } from '../../../src/record/database/database.js';
import { migrations } from '../../../src/record/database/schema.js';
import { makeEmptyFile } from '../../../src/record/safe-files/record-directory.js';
import type { OperationStart, StepRecord } from '../../../src/record/record.js';
import { makeSite, wall } from '../helpers/site.js';

const start: OperationStart = { kind: 'takeover', node: 'B', epoch: 2, now: wall };
const step = (name: string, fsid?: string): StepRecord => ({
  step: name,
  fsid,
  state: 'done',
  ms: 1.5,
  detail: '',
  at: wall + 1,
});

test('an operation, its steps, its end', (t) => {
  const site = makeSite(t);
  const record = site.open();
  t.is(record.lastOperation(), undefined);
  const id = record.beginOperation(start);
  record.recordStep(id, step('B-1', '1234'));
  record.recordStep(id, { ...step('B-3'), state: 'failed', detail: 'nobody answers' });
  const begun = {
    id,
    kind: 'takeover',
    node: 'B',
    epoch: 2,
    startedAt: wall,
    forced: undefined,
    fencing: undefined,
    notified: undefined,
    notNotified: undefined,
    lost: undefined,
    steps: [step('B-1', '1234'), { ...step('B-3'), state: 'failed', detail: 'nobody answers' }],
  };
  // Interrupted, for all that anybody can tell.
  t.deepEqual(site.open().lastOperation() as unknown, {
    ...begun,
    endedAt: undefined,
    outcome: undefined,
    detail: undefined,
  });
  record.endOperation(id, { outcome: 'failed', now: wall + 2, detail: 'B-3' });
  t.deepEqual(record.lastOperation() as unknown, {
    ...begun,
    endedAt: wall + 2,
    outcome: 'failed',
    detail: 'B-3',
  });
});

test('what an epoch has done', (t) => {
  const record = makeSite(t).open();
  const id = record.beginOperation(start);
  record.recordStep(id, step('B-2', '1'));
  record.recordStep(id, { ...step('B-1', '1'), state: 'skipped' });
  t.true(record.stepDone({ epoch: 2, step: 'B-2', fsid: '1' }));
  t.true(record.stepDone({ epoch: 2, step: 'B-2' }));
  t.false(record.stepDone({ epoch: 2, step: 'B-2', fsid: '2' }));
  t.false(record.stepDone({ epoch: 2, step: 'B-1' }));
  t.false(record.stepDone({ epoch: 3, step: 'B-2', fsid: '1' }));
});

test('old operations go with their steps; those of the present epoch stay', (t) => {
  const record = makeSite(t).open();
  const first = record.beginOperation(start);
  record.recordStep(first, step('B-2'));
  // In one transaction, for what each commit costs.
  record.exclusively('filling', () => {
    for (let count = 0; count < 250; count += 1) record.beginOperation({ ...start, kind: 'notify' });
  });
  t.true(record.stepDone({ epoch: 2, step: 'B-2' }));
  record.beginOperation({ ...start, epoch: 3 });
  t.false(record.stepDone({ epoch: 2, step: 'B-2' }));
  t.is(record.lastOperation()?.epoch, 3);
});

test('however often an epoch is gone on with, what is kept stays small, and still says what the epoch has done', (t) => {
  const record = makeSite(t).open();
  const first = wall + 7;
  const fill = (): void => {
    for (const fsid of ['1', '2']) {
      const id = record.beginOperation(start);
      record.recordStep(id, step('B-2', fsid));
      record.recordStep(id, step('B-3'));
    }
    record.beginOperation({ ...start, kind: 'release', now: first });
    for (let count = 1; count <= 450; count += 1) {
      const id = record.beginOperation({ ...start, kind: 'release', now: first + count });
      record.recordStep(id, step('A-1'));
      if (count % 2 === 0) record.recordStep(id, { ...step('A-2'), state: 'failed' });
    }
  };
  record.exclusively('filling', fill);
  t.true(record.stepDone({ epoch: 2, step: 'B-2', fsid: '1' }));
  t.true(record.stepDone({ epoch: 2, step: 'B-2', fsid: '2' }));
  t.true(record.stepDone({ epoch: 2, step: 'B-3' }));
  t.is(record.firstReleaseAt(2), first);
  // The last 200, the two takeovers, and the first release.
  t.is(record.lastOperations(1000).length, 203);
  record.beginOperation({ ...start, epoch: 3 });
  t.is(record.lastOperations(1000).length, 200);
});

test('the last operations, oldest first, with who was notified and what was lost', (t) => {
  const record = makeSite(t).open();
  record.claim({ node: 'A', fenced: false, now: wall });
  record.beginGrace({ now: wall });
  const forced = '--fenced: B had not released it';
  const takeover = record.beginOperation({ ...start, epoch: 1, forced });
  record.recordStep(takeover, step('B-1'));
  const clients = { notified: 3, notNotified: 1 };
  record.endOperation(takeover, { outcome: 'not-notified', now: wall + 2, detail: '1', clients });
  record.beginOperation({ ...start, kind: 'notify', epoch: 1 });
  record.closeAudit({ epoch: 1, now: wall + 3, findings: [{ verdict: 'silent', clients: ['x'] }], lost: 1 });
  const [older, newer, ...more] = record.lastOperations(2);
  t.like(older, { kind: 'takeover', forced, notified: 3, notNotified: 1, lost: 1, steps: [step('B-1')] });
  t.like(newer, { kind: 'notify', forced: undefined, notified: undefined, lost: undefined, steps: [] });
  t.deepEqual(more, []);
  t.deepEqual(
    record.lastOperations(1).map(({ kind }) => kind),
    ['notify'],
  );
});

test('a record of 0.1.0 opens, with the operations that it has', (t) => {
  const site = makeSite(t);
  const released = migrations.slice(0, 6);
  t.false(released.some((one) => one.includes('forced')));
  mkdirSync(site.directory, { mode: 0o711 });
  makeEmptyFile(join(site.directory, 'monitors.db'));
  const former = openDatabase(join(site.directory, 'monitors.db'), released);
  former
    .prepare(
      "INSERT INTO operations (kind, node, epoch, began_at, ended_at, outcome, detail) VALUES ('release', 'A', 1, ?, ?, 'done', '')",
    )
    .run(wall, wall + 9);
  former.close();
  t.like(site.open().lastOperation(), {
    kind: 'release',
    endedAt: wall + 9,
    outcome: 'done',
    lost: undefined,
  });
});
