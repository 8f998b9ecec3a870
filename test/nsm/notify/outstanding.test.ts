import test, { type ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { Outstanding } from '../../../src/nsm/notify/outstanding.js';
import { encodeReply, type RpcReply } from '../../../src/rpc/rpc-reply.js';

const peer = { family: 4, address: '10.10.1.21', port: 777 } as const;
const reply = (xid: number): Buffer => encodeReply({ xid, status: 'SUCCESS', results: new Uint8Array() });

function waiting(): { outstanding: Outstanding; xid: number; answers: RpcReply[] } {
  const outstanding = new Outstanding(() => 0xfeedbeef);
  const answers: RpcReply[] = [];
  const xid = outstanding.add(peer, (answer) => answers.push(answer));
  return { outstanding, xid, answers };
}

test('the reply counts, once', (t) => {
  const { outstanding, xid, answers } = waiting();
  outstanding.receive(reply(xid), peer);
  outstanding.receive(reply(xid), peer);
  t.is(answers.length, 1);
});

function testIgnored(t: ExecutionContext, datagram: Buffer, sender: { address: string; port: number }): void {
  const { outstanding, xid, answers } = waiting();
  outstanding.receive(datagram, sender);
  t.deepEqual(answers, []);
  outstanding.receive(reply(xid), peer);
  t.is(answers.length, 1, 'and the real reply still counts');
}

test('ignored: another xid', testIgnored, reply(0xfeedbeee), peer);
test('ignored: another address', testIgnored, reply(0xfeedbeef), { ...peer, address: '10.10.1.22' });
test('ignored: another port', testIgnored, reply(0xfeedbeef), { ...peer, port: 778 });
test('ignored: nothing', testIgnored, Buffer.alloc(0), peer);
test('ignored: three bytes', testIgnored, Buffer.from('feedbe', 'hex'), peer);
test('ignored: a call', testIgnored, Buffer.from('feedbeef00000000', 'hex'), peer);
test('ignored: cut short', testIgnored, reply(0xfeedbeef).subarray(0, 20), peer);
test('ignored: oversized', testIgnored, Buffer.concat([reply(0xfeedbeef), Buffer.alloc(60_000)]), peer);
test(
  'ignored: an unknown accept_stat',
  testIgnored,
  Buffer.from('feedbeef0000000100000000000000000000000000000007', 'hex'),
  peer,
);

test('no xid is used twice at once', (t) => {
  const numbers = [1, 1, 1, 2];
  const outstanding = new Outstanding(() => numbers.shift() ?? 0);
  const ids = [outstanding.add(peer, () => undefined), outstanding.add(peer, () => undefined)];
  t.deepEqual(ids, [1, 2]);
});

test('any bytes from anybody: nothing is thrown, and only the right xid from the right place counts', (t) => {
  const addresses = fc.constantFrom('10.10.1.21', '10.10.1.22', '::ffff:10.10.1.21');
  const senders = fc.record({ address: addresses, port: fc.constantFrom(777, 778, 0) });
  const datagrams = fc
    .uint8Array({ maxLength: 60 })
    .map((bytes) => Buffer.concat([Buffer.from('feedbeef', 'hex'), bytes]));
  fc.assert(
    fc.property(fc.oneof(datagrams, fc.constant(reply(0xfeedbeef))), senders, (datagram, sender) => {
      const { outstanding, answers } = waiting();
      outstanding.receive(datagram, sender);
      const right = sender.address === peer.address && sender.port === peer.port;
      t.true(right || answers.length === 0);
    }),
  );
});
