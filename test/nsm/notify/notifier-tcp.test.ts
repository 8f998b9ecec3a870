// Clients whose statd or rpcbind is to be had over TCP only, and those that answer from elsewhere.
import test, { type ExecutionContext } from 'ava';
import { notify, type NotifyOptions, type NotifyResult } from '../../../src/nsm/notify/notifier.js';
import { encodeReply } from '../../../src/rpc/rpc-reply.js';
import { encodePortAnswer } from '../../../src/rpc/rpcbind-messages.js';
import {
  accept,
  atFirst,
  type Behaviour,
  type FakeClient,
  Farm,
  forTcpOnly,
  forUdpOnly,
  type Incoming,
  refuse,
  registeredAt,
  type Script,
  silent,
} from './farm.js';

const names = ['127.0.0.2', 'nfs_1.example.com', 'nfs_1'];

function farmOf(t: ExecutionContext): Farm {
  const farm = new Farm();
  t.teardown(() => {
    farm.close();
  });
  return farm;
}

function send(farm: Farm, over: Partial<NotifyOptions> = {}): Promise<NotifyResult> {
  return notify({
    source: { address: '127.0.0.2', family: 4 },
    names,
    state: 7,
    clients: farm.clients.map(({ address }) => address),
    deadlineMs: 20_000,
    rpcbindPort: farm.rpcbindPort,
    pace: { firstMs: 30, capMs: 120, reportMs: 10 },
    ...over,
  });
}

async function testNotifiedOverTcp(t: ExecutionContext, script: Script): Promise<void> {
  const farm = farmOf(t);
  const client = await farm.client('127.0.0.10', script);
  t.like(await send(farm), { notified: ['127.0.0.10'], notNotified: [] });
  t.deepEqual([...new Set(client.heard.map(({ name }) => name))].toSorted(), names.toSorted());
  t.deepEqual([...new Set(client.connected)], ['127.0.0.2'], 'from the floating IP');
}

test('statd is registered for TCP only', testNotifiedOverTcp, {
  rpcbind: forTcpOnly,
  overTcp: { statd: accept },
});
test('statd is registered for TCP only, and slow to accept', testNotifiedOverTcp, {
  rpcbind: forTcpOnly,
  overTcp: { statd: atFirst(3, silent, accept) },
});
test('rpcbind answers over TCP only', testNotifiedOverTcp, {
  rpcbind: silent,
  overTcp: { rpcbind: forTcpOnly, statd: accept },
});

/** Sends what answers a call, with its transaction, from another address than the one that was called. */
async function answerFrom(
  farm: Farm,
  address: string,
  { call, from }: Incoming,
  results: Uint8Array,
): Promise<void> {
  const socket = await farm.stranger(address);
  socket.send(encodeReply({ xid: call.xid, status: 'SUCCESS', results }), from.port, from.address);
}

const rpcbindElsewhere =
  (farm: Farm, address: string): Behaviour =>
  (incoming) => {
    const { client } = incoming;
    void answerFrom(farm, address, incoming, encodePortAnswer(4, client.address, client.statdPort));
    return [];
  };

test('rpcbind answers UDP from another address, and TCP as it should', async (t) => {
  const farm = farmOf(t);
  const client = await farm.client('127.0.0.10', {
    rpcbind: rpcbindElsewhere(farm, '127.0.0.11'),
    overTcp: { rpcbind: forUdpOnly },
  });
  t.like(await send(farm), { notified: ['127.0.0.10'] });
  t.deepEqual(client.connected, [], 'its statd is registered for UDP');
});

test('rpcbind over TCP knows statd for UDP alone', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.0.0.10', {
    rpcbind: silent,
    overTcp: { rpcbind: forUdpOnly },
  });
  t.like(await send(farm), { notified: ['127.0.0.10'] });
});

/** Until the client has seen `enough`. */
async function testReason(
  t: ExecutionContext,
  script: (farm: Farm) => Script,
  reason: string,
  enough: (client: FakeClient) => boolean = ({ asked, heard }) => asked > 4 || heard.length > 12,
): Promise<void> {
  const farm = farmOf(t);
  const client = await farm.client('127.0.0.10', script(farm));
  const deadline = new AbortController();
  // Long enough for a connection on a busy machine, where what is refused is to be seen.
  const pace = { firstMs: 400, capMs: 400, reportMs: 10 };
  const running = send(farm, { deadline: deadline.signal, pace });
  await client.until(enough);
  deadline.abort();
  t.deepEqual((await running).notNotified, [{ client: '127.0.0.10', reason }]);
}

test(
  'an answer of rpcbind from another address does not count, and is named',
  testReason,
  (farm) => ({ rpcbind: rpcbindElsewhere(farm, '127.0.0.11') }),
  'rpcbind does not answer; an answer came from 127.0.0.11 instead',
);
test(
  'an answer of statd from another address does not count, and is named',
  testReason,
  (farm) => ({
    statd: (incoming) => {
      void answerFrom(farm, '127.0.0.12', incoming, new Uint8Array());
      return [];
    },
  }),
  'statd does not answer; an answer came from 127.0.0.12 instead',
);
test(
  'nothing over TCP either: the reason is that of UDP',
  testReason,
  () => ({ rpcbind: silent }),
  'rpcbind does not answer',
);
test(
  'registered for TCP, and refuses there',
  testReason,
  () => ({ rpcbind: forTcpOnly, overTcp: { statd: refuse('PROG_UNAVAIL') } }),
  'statd refused: PROG_UNAVAIL',
  // It is asked for its port again because of that.
  ({ asked }) => asked > 2,
);
test(
  'registered for neither',
  testReason,
  () => ({ rpcbind: registeredAt(0) }),
  'statd is not registered with rpcbind',
);

test('what is forged over TCP counts as little: another transaction, half a reply, too much', async (t) => {
  for (const forged of [
    encodeReply({ xid: 1, status: 'SUCCESS', results: new Uint8Array() }),
    Buffer.alloc(7),
    Buffer.alloc(5000),
  ]) {
    const farm = farmOf(t);
    const client = await farm.client('127.0.0.10', {
      rpcbind: forTcpOnly,
      overTcp: { statd: () => [forged] },
    });
    const deadline = new AbortController();
    const running = send(farm, { deadline: deadline.signal });
    await client.until(({ connected }) => connected.length > 6);
    deadline.abort();
    t.deepEqual((await running).notified, []);
  }
});
