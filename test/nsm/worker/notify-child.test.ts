import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import { FailoverError } from '../../../src/errors.js';
import { notifyThrough, type ThroughOptions } from '../../../src/nsm/worker/notify-child.js';
import type { NotifyResult } from '../../../src/nsm/notify/notifier.js';
import { Farm, silent, unregistered } from '../notify/farm.js';

// One after another, since each starts a Node of its own.

/** The program, unbundled, as it was compiled beside this test. */
const script = path.join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'main.js');
/** Stands for nsenter: becomes the command. */
const inside = ['env'];
/** Long enough that only a defect reaches it. */
const deadlineMs = 60_000;
const names = ['127.0.0.2', 'nfs1.example.com', 'nfs1'];

const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-notify-child-'));
test.after.always(() => rmSync(directory, { recursive: true }));

const pidFile = path.join(directory, 'pid');
/** Stands for nsenter, and leaves its pid, which is the worker's, since the shell becomes the worker. */
const insideWithPid = ['sh', '-c', 'echo $$ > "$0"; exec "$@"', pidFile];

function workerPid(): number {
  return Number(readFileSync(pidFile, 'utf8'));
}

function farmOf(t: ExecutionContext): Farm {
  const farm = new Farm();
  t.teardown(() => farm.close());
  return farm;
}

function optionsFor(farm: Farm, options: Partial<ThroughOptions> = {}): ThroughOptions {
  return {
    source: { address: '127.0.0.2', family: 4 },
    names,
    state: 7,
    clients: farm.clients.map((client) => client.address),
    deadlineMs,
    rpcbindPort: farm.rpcbindPort,
    ...options,
  };
}

function send(
  farm: Farm,
  options: Partial<ThroughOptions> = {},
  prefix: readonly string[] = inside,
): Promise<NotifyResult> {
  return notifyThrough(prefix, optionsFor(farm, options), script);
}

async function workerError(t: ExecutionContext, run: Promise<unknown>): Promise<FailoverError> {
  const error = await t.throwsAsync(run, { instanceOf: FailoverError, code: 'NSM_WORKER' });
  t.is(error.exitCode, 1);
  t.truthy(error.hint);
  return error;
}

for (const prefix of [[], inside]) {
  test.serial(`sends each client every name, behind ${JSON.stringify(prefix)}`, async (t) => {
    const farm = farmOf(t);
    await farm.client('127.0.0.10');
    await farm.client('127.0.0.11');
    const notified: string[] = [];
    const counts: number[] = [];
    const result = await send(
      farm,
      {
        onNotified: (batch) => notified.push(...batch),
        onProgress: (progress) => {
          t.is(progress.total, 2);
          t.is(progress.notified, notified.length, 'what is counted was passed on before');
          counts.push(progress.notified);
        },
      },
      prefix,
    );
    t.deepEqual(result.notified.toSorted(), ['127.0.0.10', '127.0.0.11']);
    t.like(result, { notNotified: [], sourceUsed: '127.0.0.2', privilegedPort: process.getuid?.() === 0 });
    t.deepEqual(notified.toSorted(), ['127.0.0.10', '127.0.0.11']);
    t.is(counts.at(-1), 2);
    for (const client of farm.clients) {
      t.deepEqual(client.heard.map((change) => change.name).toSorted(), names.toSorted());
      t.true(client.heard.every(({ state, from }) => state === 7 && from.address === '127.0.0.2'));
    }
  });
}

test.serial('thousands, in more lines than one pipe holds', async (t) => {
  const farm = farmOf(t);
  const clients = await farm.crowd(3000);
  const notified: string[] = [];
  const result = await send(farm, { clients, onNotified: (batch) => notified.push(...batch) });
  t.deepEqual(notified.toSorted(), clients.toSorted());
  t.is(result.notified.length, 3000);
});

test.serial('not notified at the deadline, with the reason', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.0.0.10');
  await farm.client('127.0.0.11', { rpcbind: unregistered });
  t.like(await send(farm, { deadlineMs: 1000 }), {
    notified: ['127.0.0.10'],
    notNotified: [{ client: '127.0.0.11', reason: 'statd is not registered with rpcbind' }],
  });
});

test.serial('an abort returns what was notified so far; the rest is interrupted', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.0.0.10');
  await farm.client('127.0.0.11', { rpcbind: silent });
  const stop = new AbortController();
  const result = await send(farm, { signal: stop.signal, onNotified: () => stop.abort() });
  t.deepEqual(result.notified, ['127.0.0.10']);
  t.deepEqual(result.notNotified, [{ client: '127.0.0.11', reason: 'interrupted' }]);
});

for (const [when, abort] of [
  ['before it begins', (stop: AbortController) => stop.abort()],
  ['while it starts', (stop: AbortController) => setImmediate(() => stop.abort())],
] as const) {
  test.serial(`aborted ${when}, it sends nothing`, async (t) => {
    const farm = farmOf(t);
    const client = await farm.client('127.0.0.10');
    const stop = new AbortController();
    abort(stop);
    const result = await send(farm, { signal: stop.signal });
    t.deepEqual(result.notNotified, [{ client: '127.0.0.10', reason: 'interrupted' }]);
    t.is(client.asked, 0);
  });
}

for (const name of ['onNotified', 'onProgress'] as const) {
  test.serial(`${name} throws: its error, once, and nothing is sent any more`, async (t) => {
    const farm = farmOf(t);
    await farm.client('127.0.0.10');
    await farm.client('127.0.0.11', { rpcbind: silent });
    const full = new Error('database or disk is full');
    let calls = 0;
    const callback = (): void => {
      calls += 1;
      throw full;
    };
    t.is(await t.throwsAsync(send(farm, { [name]: callback }, insideWithPid)), full);
    t.is(calls, 1);
    t.throws(() => process.kill(workerPid(), 0), { code: 'ESRCH' });
  });
}

test.serial('a worker that is killed', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.0.0.10');
  await farm.client('127.0.0.11', { rpcbind: silent });
  const notified: string[] = [];
  const onNotified = (batch: string[]): void => {
    notified.push(...batch);
    process.kill(workerPid(), 'SIGKILL');
  };
  const run = send(farm, { onNotified }, insideWithPid);
  const error = await workerError(t, run);
  t.regex(error.message, /notify-worker" ended by SIGKILL without a result$/);
  t.deepEqual(notified, ['127.0.0.10']);
});

test.serial('a worker behind a prefix that stays its parent is interrupted too', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.0.0.10');
  await farm.client('127.0.0.11', { rpcbind: silent });
  const stop = new AbortController();
  // The shell ignores the signal, and its child does not get it.
  const run = send(farm, { signal: stop.signal, onNotified: () => stop.abort() }, [
    'sh',
    '-c',
    'trap : TERM; "$@"; exit',
    'sh',
  ]);
  t.deepEqual((await run).notNotified, [{ client: '127.0.0.11', reason: 'interrupted' }]);
});

for (const [what, prefix, said] of [
  ['no such command', ['/nonexistent/nsenter'], /could not be started: .*ENOENT/],
  ['it says nothing', ['true'], /ended with exit code 0 without a result$/],
  ['it says why', ['sh', '-c', 'echo no such namespace >&2; exit 3'], /code 3 .*: no such namespace$/],
  ['other text', ['echo'], /said what is no answer: "\S*node \S+ notify-worker"/],
  [
    'another value',
    ['sh', '-c', 'echo \'{"notified":7}\'; exec sleep 600'],
    /no answer: "\{\\"notified\\":7\}"/,
  ],
  [
    'too much',
    ['sh', '-c', 'echo \'{"ready":true,"notified":[]}\'; exec sleep 600'],
    /said what is no answer/,
  ],
] as const) {
  test.serial(`no worker there: ${what}`, async (t) => {
    const farm = farmOf(t);
    const client = await farm.client('127.0.0.10');
    const error = await workerError(t, send(farm, {}, prefix));
    t.regex(error.message, said);
    t.is(client.asked, 0);
  });
}

test.serial('the even state before the odd one goes through to the worker', async (t) => {
  const farm = farmOf(t);
  const client = await farm.client('127.0.0.10');
  t.like(await send(farm, { pair: true }), { notified: ['127.0.0.10'] });
  t.deepEqual([...new Set(client.heard.map(({ state }) => state))], [6, 7]);
});

test.serial('what cannot be sent comes back with the sentence of the notifier', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.0.0.10');
  t.regex((await workerError(t, send(farm, { state: 2 }))).message, /the NSM state 2 is not an odd number/);
  t.regex((await workerError(t, send(farm, { names: [] }))).message, /names: /);
});

// The worker by itself.

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function byHand(input: string): Promise<Ended> {
  const worker = spawn(process.execPath, [script, 'notify-worker']);
  worker.stdin.end(input);
  const closed = once(worker, 'close');
  const [stdout, stderr] = await Promise.all([text(worker.stdout), text(worker.stderr)]);
  const [code] = (await closed) as [number | null];
  return { code, stdout, stderr };
}

const job = {
  source: { address: '127.0.0.2', family: 4 },
  names: ['a'],
  state: 7,
  clients: [],
  deadlineMs: 9,
};

for (const [what, input, reason] of [
  ['nothing', '', /JSON input/],
  ['no JSON', 'hello\n', /"hello" is not valid JSON/],
  ['another value', '[]\n', /source: /],
  ['a key missing', `${JSON.stringify({ ...job, state: undefined })}\n`, /state: /],
  ['a key too many', `${JSON.stringify({ ...job, pace: {} })}\n`, /pace: /],
  [
    'a source of another family',
    `${JSON.stringify({ ...job, source: { address: '::1', family: 4 } })}\n`,
    /family/,
  ],
] as const) {
  test.serial(`by hand, ${what}: a clear sentence and exit code 2`, async (t) => {
    const { code, stdout, stderr } = await byHand(input);
    t.is(code, 2);
    t.is(stdout, '{"ready":true}\n');
    t.regex(stderr, /^nlm-failover: notify-worker is for nlm-failover itself: it takes one JSON line/);
    t.regex(stderr, reason);
    t.regex(stderr, /nlm-failover notify ADDRESS"\.\n$/);
  });
}

test.serial('when whoever asked is gone, it stops', async (t) => {
  const farm = farmOf(t);
  const client = await farm.client('127.0.0.10', { rpcbind: silent });
  const worker = spawn(process.execPath, [script, 'notify-worker'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const stdout = text(worker.stdout);
  worker.stdin.write(`${JSON.stringify(optionsFor(farm))}\n`);
  await client.until(() => client.asked > 0);
  worker.stdin.end();
  const lines = (await stdout).trimEnd().split('\n');
  t.is(lines[0], '{"ready":true}');
  t.regex(lines.at(-1) ?? '', /^\{"result":.*"interrupted"/);
});
