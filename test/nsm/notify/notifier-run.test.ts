import test, { type ExecutionContext } from 'ava';
import { notify } from '../../../src/nsm/notify/notifier.js';
import { Farm, silent } from './farm.js';

const common = {
  source: { address: '127.0.0.2', family: 4 },
  names: ['127.0.0.2'],
  state: 11,
  deadlineMs: 20_000,
} as const;

function farmOf(t: ExecutionContext): Farm {
  const farm = new Farm();
  t.teardown(() => {
    farm.close();
  });
  return farm;
}

const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((kind) => kind === 'UDPWRAP').length;

// One after another: they count this process's sockets.

test.serial(
  'thousands at once, a third of them down: everybody else is notified, each reported once',
  async (t) => {
    const farm = farmOf(t);
    const clients = await farm.crowd(1500, (index) => (index % 3 === 0 ? undefined : {}));
    const up = clients.filter((_, index) => index % 3 !== 0);
    const reported: string[] = [];
    const counts: number[] = [];
    const stop = new AbortController();
    const { notified, notNotified } = await notify({
      ...common,
      clients,
      rpcbindPort: farm.rpcbindPort,
      signal: stop.signal,
      onNotified: (batch) => reported.push(...batch),
      onProgress: (progress) => {
        t.is(progress.total, 1500);
        t.is(progress.notified, reported.length, 'what is counted was passed on before');
        counts.push(progress.notified);
        if (progress.notified === up.length) stop.abort();
      },
    });
    t.deepEqual(notified.toSorted(), up.toSorted());
    t.deepEqual(reported.toSorted(), up.toSorted());
    t.is(notNotified.length, 500);
    t.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
    );
    t.is(counts.at(-1), up.length);
    t.true(
      farm.clients.every((client) => client.heard.length === 1 && client.asked === 1),
      'nothing was sent twice',
    );
  },
);

test.serial('an abort returns what was notified so far; the rest is interrupted', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.0.0.40');
  await farm.client('127.0.0.41', { statd: silent });
  const before = openSockets();
  const stop = new AbortController();
  const result = await notify({
    ...common,
    clients: ['127.0.0.40', '127.0.0.41'],
    rpcbindPort: farm.rpcbindPort,
    signal: stop.signal,
    onNotified: () => {
      stop.abort();
    },
  });
  t.deepEqual(result.notified, ['127.0.0.40']);
  t.deepEqual(result.notNotified, [{ client: '127.0.0.41', reason: 'interrupted' }]);
  t.is(openSockets(), before);
});

test.serial('aborted before it begins, it sends nothing', async (t) => {
  const farm = farmOf(t);
  const client = await farm.client('127.0.0.40');
  const { notified, notNotified } = await notify({
    ...common,
    clients: ['127.0.0.40'],
    rpcbindPort: farm.rpcbindPort,
    signal: AbortSignal.abort(),
  });
  t.deepEqual([notified, notNotified], [[], [{ client: '127.0.0.40', reason: 'interrupted' }]]);
  t.is(client.asked, 0);
});

async function testCallbackThrows(
  t: ExecutionContext,
  name: 'onNotified' | 'onProgress',
  late: boolean,
): Promise<void> {
  const farm = farmOf(t);
  await farm.client('127.0.0.40');
  if (!late) await farm.client('127.0.0.41', { statd: silent });
  const before = openSockets();
  const full = new Error('database or disk is full');
  let calls = 0;
  const thrown = await t.throwsAsync(
    notify({
      ...common,
      clients: farm.clients.map((client) => client.address),
      rpcbindPort: farm.rpcbindPort,
      [name]: () => {
        calls += 1;
        throw full;
      },
    }),
  );
  t.is(thrown, full);
  t.is(calls, 1);
  t.is(openSockets(), before);
}
test.serial('onNotified throws while others wait', testCallbackThrows, 'onNotified', false);
test.serial('onNotified throws at the end', testCallbackThrows, 'onNotified', true);
test.serial('onProgress throws while others wait', testCallbackThrows, 'onProgress', false);
test.serial('onProgress throws at the end', testCallbackThrows, 'onProgress', true);

test.serial('at the deadline the sockets are gone', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.0.0.40', { rpcbind: silent });
  const before = openSockets();
  const { notNotified } = await notify({
    ...common,
    clients: ['127.0.0.40', '::1', 'unknown.invalid'],
    rpcbindPort: farm.rpcbindPort,
    deadlineMs: 100,
    resolve: () => Promise.resolve(undefined),
  });
  t.is(notNotified.length, 3);
  t.is(openSockets(), before);
});
