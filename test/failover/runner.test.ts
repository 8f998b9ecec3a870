// The runner on a real record: what it does right before each effect.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { FailoverContext } from '../../src/failover/context.js';
import { release } from '../../src/failover/operations/release.js';
import type { Plan, Step } from '../../src/failover/steps/steps.js';
import type { Action } from '../../src/host/action.js';
import { openRecord } from '../../src/record/record.js';
import { rehearsalContext } from '../helpers/rehearsal-context.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';
import { runAndReport } from '../helpers/run-and-report.js';

const address = '127.77.4.1';

async function fixture(t: ExecutionContext, signal = new AbortController().signal) {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/shared' });
  mkdirSync(path.join(site.a.root, 'shared'));
  t.teardown(() => site.remove());
  const context = await rehearsalContext(site.a, { signal });
  const { session } = context;
  t.teardown(() => session.close());
  session.open({ create: true });
  session.claim(false);
  return { context, directory: session.location.directory };
}

function action(act: () => void, over: Partial<Action<FailoverContext>> = {}): Action<FailoverContext> {
  return {
    commands: [],
    check: () => false,
    act: async () => {
      act();
      return undefined;
    },
    verify: () => undefined,
    ...over,
  };
}

function plan(...steps: Pick<Step, 'name' | 'actions'>[]): Plan {
  return { kind: 'takeover', address, steps: steps.map((step) => ({ subject: 'something', ...step })) };
}

/** By node B, whose word it is that A is dead. */
function takeOver(directory: string): void {
  const other = openRecord({ directory, node: 'B', create: false });
  other?.claim({ node: 'B', fenced: true, now: 1 });
  other?.close();
}

for (const where of ['within a step', 'between two steps', 'before a step with nothing to do'] as const) {
  test(`another node takes over ${where}: nothing more is touched, exit code 4`, async (t) => {
    const { context, directory } = await fixture(t);
    const done: string[] = [];
    const first = action(() => {
      done.push('first');
      takeOver(directory);
    });
    let second = action(() => done.push('second'));
    if (where === 'before a step with nothing to do') second = { ...second, check: () => true };
    const steps =
      where === 'within a step'
        ? plan({ name: 'B-1', actions: [first, second] })
        : plan({ name: 'B-1', actions: [first] }, { name: 'B-2', actions: [second] });
    const { error, reports } = await runAndReport(context, steps);
    t.deepEqual(done, ['first']);
    t.like(error, { code: 'NOT_OWNER', exitCode: 4 });
    t.is(reports.at(-1)?.state, 'failed');
  });
}

test('another node takes over: not even the end of its own operation is written any more', async (t) => {
  const { context, directory } = await fixture(t);
  const steps = plan({ name: 'A-1', actions: [action(() => takeOver(directory))] });
  const silent = { begin: () => undefined, end: () => undefined };
  // A-1 is done, and the address another node's when it comes to the log; nothing follows that would be refused.
  await release({ ...steps, kind: 'release' }, context, silent);
  const record = openRecord({ directory, node: 'B', create: false });
  t.teardown(() => record?.close());
  t.like(record?.lastOperation(), { kind: 'release', node: 'A', outcome: undefined, steps: [] });
});

test('what is done already is skipped, also the act; what says it is done and is not fails the step', async (t) => {
  const { context } = await fixture(t);
  const done: string[] = [];
  const so = action(() => done.push('so'), { check: () => true });
  const liar = action(() => done.push('liar'), {
    verify: () => {
      throw new Error('it is not so');
    },
  });
  const after = action(() => done.push('after'));
  const { error, reports } = await runAndReport(
    context,
    plan({ name: 'B-1', actions: [so] }, { name: 'B-2', actions: [liar] }, { name: 'B-5', actions: [after] }),
  );
  t.deepEqual(done, ['liar']);
  t.deepEqual(
    reports.map(({ step, state }) => [step, state]),
    [
      ['B-1', 'skipped'],
      ['B-2', 'failed'],
    ],
  );
  t.is((error as Error).message, 'it is not so');
});

test('an interruption takes effect between two effects', async (t) => {
  const controller = new AbortController();
  const { context } = await fixture(t, controller.signal);
  const done: string[] = [];
  const first = action(() => {
    done.push('first');
    controller.abort();
  });
  const { error } = await runAndReport(
    context,
    plan({ name: 'B-1', actions: [first, action(() => done.push('second'))] }),
  );
  t.deepEqual(done, ['first']);
  t.like(error, { code: 'INTERRUPTED', exitCode: 1 });
});
