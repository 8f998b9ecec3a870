import test, { type ExecutionContext } from 'ava';
import { notify, type NotifyOptions, type NotifyResult } from '../../../src/nsm/notify/notifier.js';
import {
  accept,
  atFirst,
  type Behaviour,
  Farm,
  refuse,
  registered,
  registeredAt,
  silent,
  unregistered,
} from './farm.js';

const source = { address: '127.0.0.2', family: 4 } as const;
const names = ['127.0.0.2', 'nfs1.example.com', 'nfs1'];
/** Nothing is sent again in a test's time, so what arrives was sent once. */
const unhurried = { firstMs: 600_000, reportMs: 10 };
/** Long enough that only a defect reaches it. */
const deadlineMs = 20_000;
const pace = { firstMs: 30, capMs: 120, reportMs: 10 };

function farmOf(t: ExecutionContext): Farm {
  const farm = new Farm();
  t.teardown(() => {
    farm.close();
  });
  return farm;
}

function send(farm: Farm, options: Partial<NotifyOptions> = {}): Promise<NotifyResult> {
  const clients = farm.clients.map((client) => client.address);
  return notify({
    source,
    names,
    state: 7,
    clients,
    deadlineMs,
    rpcbindPort: farm.rpcbindPort,
    pace,
    ...options,
  });
}

test('sends each client every name with the one state, from the floating IP', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.0.0.10');
  await farm.client('127.0.0.11');
  const result = await send(farm, { pace: unhurried });
  t.deepEqual(result.notified.toSorted(), ['127.0.0.10', '127.0.0.11']);
  t.like(result, { notNotified: [], sourceUsed: '127.0.0.2', privilegedPort: process.getuid?.() === 0 });
  for (const client of farm.clients) {
    t.deepEqual(client.heard.map((change) => change.name).toSorted(), names.toSorted());
    t.deepEqual([...new Set(client.heard.map((change) => change.state))], [7]);
    t.deepEqual([...new Set(client.heard.map((change) => change.from.address))], ['127.0.0.2']);
    t.is(client.asked, 1);
    if (result.privilegedPort) {
      t.true(client.heard.every(({ from }) => from.port >= 600 && from.port < 1024));
    }
  }
});

test('IPv6, through RPCB_GETADDR', async (t) => {
  const farm = farmOf(t);
  await farm.client('::1');
  t.like(await send(farm, { source: { address: '::1', family: 6 } }), {
    notified: ['::1'],
    sourceUsed: '::1',
  });
});

test('a client of the other family is notified too, from no particular address', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.0.0.10');
  await farm.client('::1');
  const result = await send(farm);
  t.deepEqual(result.notified.toSorted(), ['127.0.0.10', '::1']);
});

test('a client is notified however it is spelt, and reported as it was spelt', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.0.0.10');
  const clients = ['::ffff:127.0.0.10', '127.0.0.10', '127.0.0.10'];
  t.deepEqual((await send(farm, { clients })).notified.toSorted(), ['127.0.0.10', '::ffff:127.0.0.10']);
});

async function testNotifiedInTheEnd(
  t: ExecutionContext,
  script: { rpcbind?: Behaviour; statd?: Behaviour },
): Promise<void> {
  const farm = farmOf(t);
  const client = await farm.client('127.0.0.10', script);
  t.like(await send(farm), { notified: ['127.0.0.10'], notNotified: [] });
  t.deepEqual([...new Set(client.heard.map((change) => change.name))].toSorted(), names.toSorted());
}

test('notified in the end: the first datagrams are lost', testNotifiedInTheEnd, {
  rpcbind: atFirst(3, silent, registered),
  statd: atFirst(5, silent, accept),
});
test('notified in the end: statd registers later', testNotifiedInTheEnd, {
  rpcbind: atFirst(3, unregistered, registered),
});
test('notified in the end: rpcbind is busy at first', testNotifiedInTheEnd, {
  rpcbind: atFirst(2, refuse('SYSTEM_ERR'), registered),
});
test('notified in the end: statd is not ready at first', testNotifiedInTheEnd, {
  statd: atFirst(4, refuse('PROG_UNAVAIL'), accept),
});
test('notified in the end: rpcbind knew an old port', testNotifiedInTheEnd, {
  rpcbind: atFirst(1, registeredAt(9), registered),
});
test('notified in the end: a reply comes later than it is waited for', testNotifiedInTheEnd, {
  statd: ({ call, turn, from, client }) => {
    if (turn > names.length) return [];
    setTimeout(() => {
      client.send(accept({ call, turn, from, client }), from);
    }, 2 * pace.firstMs);
    return [];
  },
});

test('pair: each name with the even state, and only when all of these are accepted with the odd one', async (t) => {
  const farm = farmOf(t);
  const client = await farm.client('127.0.0.10', { statd: atFirst(2, silent, accept) });
  t.like(await send(farm, { pair: true }), { notified: ['127.0.0.10'], notNotified: [] });
  const states = client.heard.map(({ state }) => state);
  t.deepEqual([...new Set(states)], [6, 7]);
  t.deepEqual(states, states.toSorted(), 'none of the odd ones is early');
  for (const state of [6, 7])
    t.deepEqual(
      [...new Set(client.heard.filter((one) => one.state === state).map(({ name }) => name))].toSorted(),
      names.toSorted(),
    );
});

test('a name that was accepted is not sent again', async (t) => {
  const farm = farmOf(t);
  const client = await farm.client('127.0.0.10', { statd: atFirst(2, accept, atFirst(3, silent, accept)) });
  await send(farm, { pace: { firstMs: 1000 } });
  const counts = names.map((name) => client.heard.filter((change) => change.name === name).length);
  t.deepEqual(counts, [1, 1, 2]);
});

test('a client that restarts while it is notified comes back with another port, and hears every name there', async (t) => {
  const farm = farmOf(t);
  const client = await farm.client('127.0.0.10', { statd: atFirst(1, accept, silent) });
  const run = send(farm);
  await client.until(() => client.heard.length > names.length);
  await client.moveStatd(accept);
  t.like(await run, { notified: ['127.0.0.10'] });
  t.deepEqual(
    client.heard
      .slice(-3)
      .map((change) => change.name)
      .toSorted(),
    names.toSorted(),
  );
});

/** The deadline comes when the good client is notified and the other has been tried for more than one round. */
async function testNotNotified(
  t: ExecutionContext,
  script: { rpcbind?: Behaviour; statd?: Behaviour },
  reason: string,
): Promise<void> {
  const farm = farmOf(t);
  const other = await farm.client('127.0.0.11', script);
  await farm.client('127.0.0.10');
  const deadline = new AbortController();
  let run: Promise<NotifyResult> | undefined;
  const notified = await new Promise((resolve) => {
    // Slow enough that no answer is late on a busy machine: the last round decides the reason.
    run = send(farm, {
      deadline: deadline.signal,
      onNotified: resolve,
      pace: { firstMs: 400, capMs: 400, reportMs: 10 },
    });
  });
  t.deepEqual(notified, ['127.0.0.10']);
  await other.until(() =>
    script.statd === undefined ? other.asked > 2 : other.heard.length > 2 * names.length,
  );
  deadline.abort();
  t.like(await run, { notified: ['127.0.0.10'], notNotified: [{ client: '127.0.0.11', reason }] });
}

test('not notified: rpcbind is silent', testNotNotified, { rpcbind: silent }, 'rpcbind does not answer');
test(
  'not notified: rpcbind refuses',
  testNotNotified,
  { rpcbind: refuse('AUTH_ERROR') },
  'rpcbind refused: AUTH_ERROR',
);
test(
  'not notified: no statd',
  testNotNotified,
  { rpcbind: unregistered },
  'statd is not registered with rpcbind',
);
test('not notified: statd is silent', testNotNotified, { statd: silent }, 'statd does not answer');
test(
  'not notified: accepts one name of three',
  testNotNotified,
  { statd: atFirst(1, accept, silent) },
  'statd does not answer',
);
for (const status of [
  'PROG_UNAVAIL',
  'PROG_MISMATCH',
  'PROC_UNAVAIL',
  'GARBAGE_ARGS',
  'SYSTEM_ERR',
  'AUTH_ERROR',
  'RPC_MISMATCH',
] as const) {
  test(
    `not notified: statd refuses with ${status}`,
    testNotNotified,
    { statd: refuse(status) },
    `statd refused: ${status}`,
  );
}

test('a statd that refuses may have moved: rpcbind is asked again', async (t) => {
  const farm = farmOf(t);
  const client = await farm.client('127.0.0.10', {
    statd: atFirst(names.length, refuse('PROG_UNAVAIL'), accept),
  });
  t.like(await send(farm), { notified: ['127.0.0.10'] });
  t.true(client.asked > 1);
});

test('nobody can guess an xid from those before it', async (t) => {
  const xids: number[] = [];
  const farm = farmOf(t);
  const clients = await farm.crowd(60, () => ({
    rpcbind: (incoming) => {
      xids.push(incoming.call.xid);
      return registered(incoming);
    },
  }));
  await send(farm, { clients, pace: unhurried });
  t.is(new Set(xids).size, 60);
  // Of 59 steps between random numbers all but a few are larger than a thousandth of the range.
  const steps = xids.slice(1).map((xid, index) => Math.abs(xid - (xids[index] ?? 0)));
  t.true(steps.filter((step) => step > 2 ** 22).length > 50);
});

test('the silence of many, though waited out for minutes, costs the others only their hold', async (t) => {
  const farm = farmOf(t);
  const clients = await farm.crowd(60, (index) => ({ rpcbind: index < 50 ? silent : registered }));
  const deadline = new AbortController();
  const run = send(farm, {
    clients,
    deadline: deadline.signal,
    pace: { window: 4, holdMs: 5, firstMs: 600_000, reportMs: 10 },
    onProgress: ({ notified }) => {
      if (notified === 10) deadline.abort();
    },
  });
  t.deepEqual((await run).notified.toSorted(), clients.slice(50).toSorted());
});

test('a client that answers at once, but never well, is not asked at once again', async (t) => {
  const farm = farmOf(t);
  const client = await farm.client('127.0.0.10', { statd: refuse('PROG_UNAVAIL') });
  await send(farm, { deadlineMs: 500, pace: { firstMs: 50, capMs: 100 } });
  t.true(client.asked < 20, `${client.asked} questions`);
});

test('nobody to notify', async (t) => {
  const farm = farmOf(t);
  t.like(await send(farm, { clients: [] }), { notified: [], notNotified: [] });
});

test('where this host does not have the floating IP, no source is chosen, and the result says so', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.0.0.10');
  const result = await send(farm, { source: { address: '203.0.113.9', family: 4 } });
  t.like(result, { notified: ['127.0.0.10'], sourceUsed: '0.0.0.0' });
});

test('what no statd would take is not sent', async (t) => {
  const farm = farmOf(t);
  for (const state of [0, 2, -1, 1.5, 2 ** 31 + 1, Number.NaN]) {
    await t.throwsAsync(send(farm, { state }), { code: 'NSM_NOTIFICATION' });
  }
  for (const wrong of [[], [''], ['a'.repeat(1025)]]) {
    await t.throwsAsync(send(farm, { names: wrong }), { code: 'NSM_NOTIFICATION' });
  }
});
