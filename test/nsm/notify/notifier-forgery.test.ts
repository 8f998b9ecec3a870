import test, { type ExecutionContext } from 'ava';
import { notify, type NotifyResult } from '../../../src/nsm/notify/notifier.js';
import { encodeCall } from '../../../src/rpc/rpc-call.js';
import { encodeReply } from '../../../src/rpc/rpc-reply.js';
import { accept, accepted, type Behaviour, Farm, type Incoming, registered, type Script } from './farm.js';

const common = {
  source: { address: '127.0.0.2', family: 4 },
  names: ['127.0.0.2', 'nfs1'],
  state: 9,
  pace: { firstMs: 200, capMs: 200, reportMs: 10 },
} as const;
const victim = '127.0.0.30';

function farmOf(t: ExecutionContext): Farm {
  const farm = new Farm();
  t.teardown(() => {
    farm.close();
  });
  return farm;
}

const reply = ({ call }: Incoming, status: 'SUCCESS', results: Uint8Array): Uint8Array =>
  encodeReply({ xid: call.xid, status, results });

/** Notifies the victim until it has been tried for more than two rounds; it is never notified. */
async function testNeverNotified(t: ExecutionContext, script: Script): Promise<void> {
  await neverNotified(t, farmOf(t), script);
}

async function neverNotified(t: ExecutionContext, farm: Farm, script: Script): Promise<NotifyResult> {
  const client = await farm.client(victim, script);
  const notifiedTo: string[] = [];
  const deadline = new AbortController();
  const run = notify({
    ...common,
    clients: [victim],
    deadlineMs: 20_000,
    deadline: deadline.signal,
    rpcbindPort: farm.rpcbindPort,
    onNotified: (clients) => notifiedTo.push(...clients),
  });
  const triedAgain = (): boolean =>
    script.statd === undefined ? client.asked > 2 : client.heard.length > 2 * common.names.length;
  await Promise.race([run, client.until(triedAgain)]);
  deadline.abort();
  const result = await run;
  t.deepEqual([result.notified, notifiedTo], [[], []]);
  t.is(result.notNotified[0]?.client, victim);
  return result;
}

const forgeries: Record<string, Behaviour> = {
  'another xid': ({ call }) => [accepted({ ...call, xid: (call.xid + 1) % 2 ** 32 })],
  'xid 0': ({ call }) => [accepted({ ...call, xid: 0 })],
  'every prefix of a reply': ({ call }) =>
    Array.from({ length: 24 }, (_, length) => accepted(call).subarray(0, length)),
  'a reply with four bytes too many': (incoming) => [reply(incoming, 'SUCCESS', Buffer.alloc(4))],
  'a reply of 60,000 bytes': (incoming) => [reply(incoming, 'SUCCESS', Buffer.alloc(60_000))],
  'our call, sent back': ({ call }) => [encodeCall(call)],
  'an accept_stat that does not exist': ({ call }) => {
    const datagram = accepted(call);
    datagram.writeUInt32BE(77, 20);
    return [datagram];
  },
  'a denied reply that says success': ({ call }) => {
    const datagram = accepted(call);
    datagram.writeUInt32BE(1, 8);
    return [datagram];
  },
  'every refusal': ({ call }) => [
    encodeReply({ xid: call.xid, status: 'AUTH_ERROR' }),
    encodeReply({ xid: call.xid, status: 'PROG_UNAVAIL' }),
  ],
  'empty datagrams': () => [Buffer.alloc(0), Buffer.alloc(0)],
};
for (const [name, statd] of Object.entries(forgeries)) {
  test(`statd sends ${name}: never notified`, testNeverNotified, { statd });
  test(`rpcbind sends ${name}: never notified`, testNeverNotified, { rpcbind: statd });
}

const port = (number: number): Buffer => {
  const results = Buffer.alloc(4);
  results.writeUInt32BE(number);
  return results;
};
test('rpcbind says port 0: never notified', testNeverNotified, {
  rpcbind: (incoming) => [reply(incoming, 'SUCCESS', port(0))],
});
test('rpcbind says port 65536: never notified', testNeverNotified, {
  rpcbind: (incoming) => [reply(incoming, 'SUCCESS', port(65536))],
});
test('rpcbind says its own port: never notified', testNeverNotified, {
  rpcbind: (incoming) => [reply(incoming, 'SUCCESS', port(incoming.client.rpcbindPort))],
  statd: ({ call }) => [encodeReply({ xid: call.xid, status: 'PROG_UNAVAIL' })],
});

async function testWrongPlace(t: ExecutionContext, address: string, named = ''): Promise<void> {
  const farm = farmOf(t);
  const stranger = await farm.stranger(address);
  const { notNotified } = await neverNotified(t, farm, {
    statd: ({ call, from }) => {
      stranger.send(accepted(call), from.port, from.address);
      return [];
    },
  });
  t.deepEqual(notNotified, [{ client: victim, reason: `statd does not answer${named}` }]);
}
test(
  'the right reply from another address is not the reply',
  testWrongPlace,
  '127.0.0.31',
  '; an answer came from 127.0.0.31 instead',
);
test('the right reply from another port of the client is not the reply', testWrongPlace, victim);

test("another's rpcbind cannot lend its port", async (t) => {
  const farm = farmOf(t);
  const stranger = await farm.stranger('127.0.0.31');
  await neverNotified(t, farm, {
    rpcbind: (incoming) => {
      for (const datagram of registered(incoming))
        stranger.send(datagram, incoming.from.port, incoming.from.address);
      return [];
    },
  });
  t.is(farm.clients[0]?.heard.length, 0);
});

test('a client that answers ten times is notified once', async (t) => {
  const farm = farmOf(t);
  await farm.client(victim, {
    rpcbind: (incoming) => Array.from({ length: 10 }, () => registered(incoming)).flat(),
    statd: (incoming) => Array.from({ length: 10 }, () => accept(incoming)).flat(),
  });
  await farm.client('127.0.0.32');
  const batches: string[][] = [];
  const result = await notify({
    ...common,
    clients: [victim, '127.0.0.32'],
    deadlineMs: 20_000,
    rpcbindPort: farm.rpcbindPort,
    onNotified: (clients) => batches.push(clients),
  });
  t.deepEqual(result.notified.toSorted(), [victim, '127.0.0.32']);
  t.deepEqual(batches.flat().toSorted(), [victim, '127.0.0.32']);
});

test('a flood of junk, also from the client itself, does not keep the others from being notified', async (t) => {
  const farm = farmOf(t);
  const stranger = await farm.stranger('127.0.0.31');
  const junk = [
    Buffer.alloc(0),
    Buffer.alloc(3, 0xff),
    Buffer.alloc(24),
    Buffer.alloc(1400, 0x5a),
    Buffer.alloc(40_000),
  ];
  const crowd = await farm.crowd(100);
  // 200 datagrams from each for each of the first 50 questions.
  const flooder = await farm.client(victim, {
    rpcbind: ({ from, turn }) => {
      if (turn > 50) return [];
      const flood = Array.from({ length: 40 }, () => junk).flat();
      for (const datagram of flood) stranger.send(datagram, from.port, from.address);
      return flood;
    },
  });
  const deadline = new AbortController();
  const run = notify({
    ...common,
    clients: [victim, ...crowd],
    deadlineMs: 20_000,
    deadline: deadline.signal,
    rpcbindPort: farm.rpcbindPort,
    onProgress: ({ notified }) => {
      if (notified === crowd.length)
        void flooder
          .until(() => flooder.asked > 5)
          .then(() => {
            deadline.abort();
            return undefined;
          });
    },
  });
  const result = await run;
  t.deepEqual(result.notified.toSorted(), crowd.toSorted());
  t.deepEqual(result.notNotified, [{ client: victim, reason: 'rpcbind does not answer' }]);
});
