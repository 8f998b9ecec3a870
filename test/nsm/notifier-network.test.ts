import { randomInt } from 'node:crypto';
import test from 'ava';
import { notify } from '../../src/nsm/notifier.js';
import { accept, atFirst, type Behaviour, Farm, registered, silent } from './farm.js';

/** Numbers from 0 to 1 that a seed repeats (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('30 % loss each way, duplicates, a third down: everybody else is told', async (t) => {
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31));
  t.log(`SEED=${seed}`);
  const random = randomFrom(seed);
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
  const { told, untold } = await notify({
    source: { address: '127.0.0.2', family: 4 },
    names: ['127.0.0.2', 'nfs1.example.com', 'nfs1'],
    state: 13,
    clients,
    deadlineMs: 60_000,
    deadline: everybody.signal,
    rpcbindPort: farm.rpcbindPort,
    pace: { firstMs: 20, capMs: 160, reportMs: 10 },
    onProgress: (progress) => {
      if (progress.told === up.length) everybody.abort();
    },
  });
  t.deepEqual(told.toSorted(), up.toSorted());
  t.is(untold.length, 50);
  for (const client of farm.clients) t.is(new Set(client.heard.map((change) => change.name)).size, 3);
});
