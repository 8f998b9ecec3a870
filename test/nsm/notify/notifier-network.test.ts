import { randomInt } from 'node:crypto';
import test from 'ava';
import { notify } from '../../../src/nsm/notify/notifier.js';
import { seededRandom } from '../../helpers/seeded-random.js';
import { accept, atFirst, type Behaviour, Farm, registered, silent, unregistered } from './farm.js';

test('30 % loss each way, duplicates, a third down: everybody else is notified', async (t) => {
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31));
  t.log(`SEED=${seed}`);
  const random = seededRandom(seed);
  const lossy =
    (behaviour: Behaviour): Behaviour =>
    (incoming) => {
      if (random() < 0.3) return [];
      const replies = behaviour(incoming).filter(() => random() >= 0.3);
      return random() < 0.2 ? [...replies, ...replies] : replies;
    };
  const farm = new Farm();
  t.teardown(() => {
    farm.close();
  });
  const clients = await farm.crowd(150, (index) => {
    if (index % 3 === 0) return undefined;
    // Some come up late: first nothing, then rpcbind alone.
    const rpcbind = index % 10 === 1 ? atFirst(4, silent, registered) : registered;
    return { rpcbind: lossy(rpcbind), statd: lossy(accept), oneSocket: false };
  });
  const up = farm.clients.map((client) => client.address);
  const everybody = new AbortController();
  const { notified, notNotified } = await notify({
    source: { address: '127.0.0.2', family: 4 },
    names: ['127.0.0.2', 'nfs1.example.com', 'nfs1'],
    state: 13,
    clients,
    deadlineMs: 60_000,
    deadline: everybody.signal,
    rpcbindPort: farm.rpcbindPort,
    pace: { firstMs: 20, capMs: 160, reportMs: 10 },
    onProgress: (progress) => {
      if (progress.notified === up.length) everybody.abort();
    },
  });
  t.deepEqual(notified.toSorted(), up.toSorted());
  t.is(notNotified.length, 50);
  for (const client of farm.clients) t.is(new Set(client.heard.map((change) => change.name)).size, 3);
});

test('a client that answers only at the last moment before the deadline is notified', async (t) => {
  const farm = new Farm();
  t.teardown(() => {
    farm.close();
  });
  // Doubling alone would ask eleven times in these two seconds, the last time halfway.
  await farm.client('127.0.0.21', { rpcbind: atFirst(14, silent, registered) });
  const { notified } = await notify({
    source: { address: '127.0.0.2', family: 4 },
    names: ['127.0.0.2'],
    state: 13,
    clients: ['127.0.0.21'],
    deadlineMs: 2000,
    rpcbindPort: farm.rpcbindPort,
    pace: { firstMs: 2, capMs: 60_000, reportMs: 10 },
  });
  t.deepEqual(notified, ['127.0.0.21']);
});

test('an answer lost on its way does not hide what the last one said', async (t) => {
  const farm = new Farm();
  t.teardown(() => {
    farm.close();
  });
  const client = await farm.client('127.0.0.21', { rpcbind: atFirst(2, unregistered, silent) });
  const deadline = new AbortController();
  const running = notify({
    source: { address: '127.0.0.2', family: 4 },
    names: ['127.0.0.2'],
    state: 13,
    clients: ['127.0.0.21'],
    deadlineMs: 60_000,
    deadline: deadline.signal,
    rpcbindPort: farm.rpcbindPort,
    pace: { firstMs: 10, capMs: 20 },
  });
  await client.until(({ asked }) => asked > 8);
  deadline.abort();
  t.deepEqual((await running).notNotified, [
    {
      client: '127.0.0.21',
      reason: 'statd is not registered with rpcbind; since then: rpcbind does not answer',
    },
  ]);
});
