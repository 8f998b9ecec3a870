import { setImmediate as soon } from 'node:timers/promises';
import test from 'ava';
import { Exchange } from '../../../src/nsm/notify/exchange.js';
import { Outstanding, type Peer } from '../../../src/nsm/notify/outstanding.js';
import { decodeCall } from '../../../src/rpc/rpc-call.js';
import { encodeReply } from '../../../src/rpc/rpc-reply.js';
import { ranks, SendWindow } from '../../../src/nsm/notify/send-window.js';

const call = { program: 1, version: 2, procedure: 3, args: new Uint8Array() };
const peer = (port: number): Peer => ({ family: 4, address: '10.10.1.21', port });
const never = 600_000;

function exchangeOf(
  places: number,
  errno?: string,
): { exchange: Exchange; sent: { xid: number; to: Peer }[]; answer: (index: number) => void } {
  let xid = 0;
  const outstanding = new Outstanding(() => (xid += 1));
  const sent: { xid: number; to: Peer }[] = [];
  const exchange = new Exchange({
    send: (datagram, to) => {
      sent.push({ xid: decodeCall(datagram).xid, to });
      return Promise.resolve(errno);
    },
    outstanding,
    window: new SendWindow(places),
    stream: () => Promise.resolve({ kind: 'silence' }),
    streamWindow: new SendWindow(places),
    holdMs: never,
  });
  const answer = (index: number): void => {
    const request = sent[index];
    if (request === undefined) return;
    const reply = encodeReply({ xid: request.xid, status: 'SUCCESS', results: new Uint8Array() });
    outstanding.receive(reply, request.to);
  };
  return { exchange, sent, answer };
}

test('no more than the window are on their way; each answer lets one more go', async (t) => {
  const { exchange, sent, answer } = exchangeOf(5);
  const attempts = Array.from({ length: 50 }, (_, port) =>
    exchange.request(peer(port + 1), call).attempt(ranks.firstTry, never),
  );
  await soon();
  t.is(sent.length, 5);
  answer(3);
  t.like(await attempts[3], { kind: 'reply' });
  await soon();
  t.is(sent.length, 6);
  exchange.stop();
  const ends = await Promise.all(attempts);
  t.is(ends.filter((end) => end.kind === 'dropped').length, 49);
  t.is(sent.length, 6);
});

test('a datagram that the kernel refuses gives its place to the next', async (t) => {
  const { exchange, sent } = exchangeOf(1, 'EHOSTUNREACH');
  const attempts = [1, 2, 3].map((port) => exchange.request(peer(port), call).attempt(ranks.firstTry, never));
  t.deepEqual(
    await Promise.all(attempts),
    [1, 2, 3].map(() => ({ kind: 'unsent', errno: 'EHOSTUNREACH' })),
  );
  t.is(sent.length, 3);
});

test('a request keeps its xid over all attempts, and an answer between two of them is an answer', async (t) => {
  const { exchange, sent, answer } = exchangeOf(1);
  const request = exchange.request(peer(1), call);
  t.deepEqual(await request.attempt(ranks.firstTry, 1), { kind: 'silence' });
  t.deepEqual(await request.attempt(ranks.retry, 1), { kind: 'silence' });
  t.is(sent[0]?.xid, sent[1]?.xid);
  answer(0);
  t.like(await request.attempt(ranks.retry, never), { kind: 'reply' });
  t.is(sent.length, 2);
});

test('a request that was closed sends nothing more', async (t) => {
  const { exchange, sent } = exchangeOf(1);
  const request = exchange.request(peer(1), call);
  request.close();
  t.deepEqual(await request.attempt(ranks.firstTry, never), { kind: 'dropped' });
  t.is(sent.length, 0);
});
