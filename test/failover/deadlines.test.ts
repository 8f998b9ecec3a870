// Every action of every plan is run under the deadline of its step: found in the plans, so that a new one is proved too.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { FloatingIp } from '../../src/config/config.js';
import { FailoverError } from '../../src/errors.js';
import type { FailoverContext } from '../../src/failover/context.js';
import { audit } from '../../src/failover/reclaim/audit.js';
import { renotify } from '../../src/failover/operations/notify.js';
import { release } from '../../src/failover/operations/release.js';
import { takeover } from '../../src/failover/operations/takeover.js';
import { planRelease, planTakeover } from '../../src/failover/plan.js';
import { RecordSession } from '../../src/failover/access/session.js';
import type { Plan } from '../../src/failover/steps/steps.js';
import type { Action } from '../../src/host/action.js';
import { currentDeadline } from '../../src/host/running/deadline.js';
import type { Host } from '../../src/host/host.js';
import { realHost } from '../../src/host/real.js';
import { lockd } from '../../src/lockmanager/lockd/lockd.js';
import { lockdNetns } from '../../src/lockmanager/lockd-netns/lockd-netns.js';
import { nlmFsid } from '../../src/lockmanager/nlm-fsid.js';
import type { LockManager } from '../../src/lockmanager/port.js';
import { rehearsalContext } from '../helpers/rehearsal-context.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';
import { runAndReport } from '../helpers/run-and-report.js';
import { instance, nodeItself } from '../lockmanager/helpers/instance.js';

const address = '127.77.5.1';
const nfsd = '/proc/fs/nfsd';
const silent = { begin: () => undefined, end: () => undefined };
const nothing: Plan = { kind: 'release', address, steps: [] };
const never = () => new Promise<never>(() => undefined);

// The time that node takes to load it, seconds on a busy machine, is not that of the commands.
test.before('execa is loaded', async () => void (await import('execa')));

/** `seconds`: of every step. */
async function fixture(t: ExecutionContext, seconds: number) {
  // Fails instead of hanging.
  t.timeout(60_000);
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/shared', fsids: [1234, 5678] });
  t.teardown(() => site.remove());
  mkdirSync(path.join(site.a.root, 'shared'));
  const text = site.a.read('/etc/nlm-failover.toml');
  site.a.write(
    '/etc/nlm-failover.toml',
    text.replace('[lock_manager]', `[timeouts]\nstep = ${seconds}\n\n[lock_manager]`),
  );
  const context = await rehearsalContext(site.a);
  const { session, floatingIp } = context;
  t.teardown(() => session.close());
  session.open({ create: true });
  session.claim(false);
  return { context, floatingIp, site };
}

function plansOf(ip: FloatingIp, driver: LockManager): Plan[] {
  const onShared = { ...ip, stateDirectory: '/shared' };
  return [ip, onShared].flatMap((one) => [
    planRelease(one, driver),
    planTakeover(one, driver, { node: 'A', order: 'safe' }),
  ]);
}

type Phase = 'check' | 'act' | 'verify';

/** The action, hanging in one of its three parts. */
function hanging(action: Action<FailoverContext>, phase: Phase): Action<FailoverContext> {
  return {
    ...action,
    check: phase === 'check' ? never : () => false,
    act: phase === 'act' ? never : async () => undefined,
    verify: phase === 'verify' ? never : () => undefined,
  };
}

for (const driver of [
  lockd(nodeItself(realHost), { nfsd, restart: ['start-nfsd'] }),
  nlmFsid(nodeItself(realHost), nfsd),
  lockdNetns(realHost, { ...instance(nfsd), address }),
]) {
  test(`${driver.name}: each action of each step that hangs, in any part of it, ends with its step's sentence`, async (t) => {
    const { context: real, floatingIp } = await fixture(t, 2);
    // The record is asked before each, two hundred times at once: that alone may take longer than a step on a busy machine.
    const context = Object.assign(Object.create(real) as FailoverContext, {
      session: { assertStillOwner: () => undefined, location: real.session.location },
    });
    const cases = plansOf(floatingIp, driver).flatMap((plan) =>
      plan.steps.flatMap((step) =>
        step.actions.flatMap((action) =>
          (['check', 'act', 'verify'] as const).map((phase) => ({ plan, step, action, phase })),
        ),
      ),
    );
    // All at once: they do nothing but wait.
    const ended = await Promise.all(
      cases.map(async ({ plan, step, action, phase }) => {
        const { skipReason: _, covered: __, ...bare } = step;
        const one = { ...plan, steps: [{ ...bare, actions: [hanging(action, phase)] }] };
        return { step, action, phase, ...(await runAndReport(context, one)) };
      }),
    );
    t.true(ended.length >= 60);
    t.log(
      `${ended.length} of ${ended.length}: ${[...new Set(ended.map(({ step }) => step.name))].join(' ')}`,
    );
    for (const { step, action, phase, error, reports } of ended) {
      const where = `${step.name} ${action.commands.join('; ')} ${phase}`;
      if (!(error instanceof FailoverError)) return t.fail(`${where}: ${String(error)}`);
      t.like(error, { code: 'STEP_TIMEOUT', exitCode: 1 }, where);
      t.true(error.message.startsWith(`${step.name} (${step.subject}) was not done within 2 s: `), where);
      t.true(error.hint?.includes(`[timeouts].${step.name} in the configuration`), where);
      t.true(error.message.includes(action.commands.join('; ').slice(0, 40)), where);
      t.like(reports.at(-1), { step: step.name, state: 'failed', detail: error.message }, where);
    }
  });
}

test('every command, read, write and wait of a real takeover and release happens under the deadline of its step', async (t) => {
  const { context, floatingIp } = await fixture(t, 120);
  const seen: { readonly what: string; readonly limit: string; readonly seconds: number }[] = [];
  const note = (what: string) => {
    const { limit } = currentDeadline();
    seen.push({ what, limit: limit.what, seconds: limit.seconds });
  };
  const { host } = context;
  const noting: Host = {
    ...host,
    run: (argv, options) => (note(argv.join(' ')), host.run(argv, options)),
    readText: (file) => (note(file), host.readText(file)),
    writeKernel: (file, text) => (note(file), host.writeKernel(file, text)),
    delay: (ms, signal) => (note('delay'), host.delay(ms, signal)),
  };
  const plans = plansOf(floatingIp, context.driver).slice(2).toReversed();
  let limits = 0;
  for (const plan of plans) {
    for (const step of plan.steps) {
      // What computes the limit of B-3, the length of the grace, is read before it.
      const before = seen.length;
      const { error } = await runAndReport(
        { ...context, host: noting, notifyDeadlineMs: 1 },
        { ...plan, steps: [step] },
      );
      t.is(error, undefined, step.name);
      for (const { what, limit, seconds } of seen.slice(before)) {
        t.is(limit, `${step.name} (${step.subject})`, `${step.name}: ${what}`);
        t.is(seconds, step.name === 'B-3' ? 121 : 120);
      }
      limits += seen.length - before;
    }
  }
  t.log(`${limits} of ${limits}`);
  const asked = seen.findIndex(({ what }) => what.startsWith(`dd if=${host.path('/dev/vol1')} `));
  const mounted = seen.findIndex(({ what }) => what.startsWith('mount '));
  t.true(asked >= 0 && asked < mounted, 'whether the disk answers is asked before this process reads it');
  t.true(limits > 40);
});

for (const [name, operation] of [
  [
    'release',
    (context: FailoverContext) =>
      release(plansOf(context.floatingIp, context.driver)[2] ?? nothing, context, silent),
  ],
  [
    'takeover',
    (context: FailoverContext) =>
      takeover(plansOf(context.floatingIp, context.driver)[3] ?? nothing, context, silent),
  ],
  ['notify', (context: FailoverContext) => renotify(context)],
  ['audit', (context: FailoverContext) => audit(context)],
] as const) {
  test(`${name}: the record's disk does not answer: said so before it is opened, and nothing is touched`, async (t) => {
    // Long enough for a busy machine to come to the command.
    const { context, site } = await fixture(t, 4);
    context.session.close();
    const host: Host = {
      ...context.host,
      run: (argv, options) =>
        argv[0] === 'dd' ? realHost.run(['sleep', '600']) : context.host.run(argv, options),
    };
    const session = new RecordSession(host, context.floatingIp, context.config);
    const error = await t.throwsAsync(operation({ ...context, host, session }));
    t.like(error, { code: 'COMMAND_TIMEOUT', exitCode: 1 });
    t.regex(error?.message ?? '', /^Opening the record of 127\.77\.5\.1 was not done within 4 s: /);
    t.is(session.record, undefined);
    t.is(site.a.read('/proc/self/mountinfo'), '');
    const again = new RecordSession(context.host, context.floatingIp, context.config);
    t.teardown(() => again.close());
    t.is(again.open({ create: false })?.lastOperation(), undefined);
  });
}

test('a step that hung in a command goes on when it is run again, and the command is gone', async (t) => {
  // Long enough for a busy machine to come to the command.
  const { context } = await fixture(t, 3);
  const done: string[] = [];
  const step = (script: string): Plan => ({
    kind: 'takeover',
    address,
    steps: [
      {
        name: 'B-5',
        subject: '/mnt/vol1',
        actions: [
          {
            commands: [script],
            check: () => done.includes('first'),
            act: async () => {
              done.push('first');
              return undefined;
            },
            verify: () => undefined,
          },
          {
            commands: [script],
            check: () => false,
            act: async () => {
              await realHost.run(['sh', '-c', script]);
              done.push('second');
              return undefined;
            },
            verify: () => undefined,
          },
        ],
      },
    ],
  });
  const hung = await runAndReport(context, step('trap "" TERM; while :; do sleep 1; done'));
  t.like(hung.error, { code: 'COMMAND_TIMEOUT', exitCode: 1 });
  t.regex(
    String(hung.error),
    /B-5 \(\/mnt\/vol1\) was not done within 3 s: .* ignored SIGTERM, and was killed/,
  );
  t.deepEqual(done, ['first']);
  const again = await runAndReport(context, step('exit 0'));
  t.is(again.error, undefined);
  t.deepEqual(done, ['first', 'second']);
});
