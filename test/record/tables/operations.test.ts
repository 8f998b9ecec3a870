import test from 'ava';
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
  for (let count = 0; count < 250; count += 1) record.beginOperation({ ...start, kind: 'notify' });
  t.true(record.stepDone({ epoch: 2, step: 'B-2' }));
  record.beginOperation({ ...start, epoch: 3 });
  t.false(record.stepDone({ epoch: 2, step: 'B-2' }));
  t.is(record.lastOperation()?.epoch, 3);
});
