import test from 'ava';
import * as fc from 'fast-check';
import { decodeCall, encodeCall } from '../../src/rpc/rpc-call.js';
import { decodeReply, encodeReply, peekXid, type RpcReply } from '../../src/rpc/rpc-reply.js';
import { portAnswer } from '../../src/rpc/rpcbind-messages.js';
import { decodeStateChange, encodeStateChange } from '../../src/nsm/notify/sm-notify.js';
import { isMalformed } from '../../src/rpc/xdr.js';

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const refusals = [
  'PROG_UNAVAIL',
  'PROG_MISMATCH',
  'PROC_UNAVAIL',
  'GARBAGE_ARGS',
  'SYSTEM_ERR',
  'RPC_MISMATCH',
  'AUTH_ERROR',
] as const;

test('a call is read back', (t) => {
  const calls = fc.record({
    xid: uint32,
    program: uint32,
    version: uint32,
    procedure: uint32,
    args: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(calls, (call) => {
      t.deepEqual(decodeCall(encodeCall(call)), call);
    }),
  );
});

test('a reply is read back', (t) => {
  const replies: fc.Arbitrary<RpcReply> = fc.oneof(
    fc.record({
      xid: uint32,
      status: fc.constant('SUCCESS' as const),
      results: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    }),
    fc.record({ xid: uint32, status: fc.constantFrom(...refusals) }),
  );
  fc.assert(
    fc.property(replies, (reply) => {
      const datagram = encodeReply(reply);
      t.is(peekXid(datagram), reply.xid);
      t.deepEqual(decodeReply(datagram), reply);
    }),
  );
});

test('a state change is read back', (t) => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      (name, state) => {
        t.deepEqual(decodeStateChange(encodeStateChange({ name, state })), { name, state });
      },
    ),
  );
});

test('SM_NOTIFY on the wire, byte for byte', (t) => {
  const args = encodeStateChange({ name: '10.10.1.1', state: 7 });
  const call = encodeCall({ xid: 0x01020304, program: 100024, version: 1, procedure: 6, args });
  t.is(
    call.toString('hex'),
    // xid, CALL, RPC 2, program, version, procedure; AUTH_NONE twice; "10.10.1.1", 7
    '01020304 00000000 00000002 000186b8 00000001 00000006 00000000 00000000 00000000 00000000'.replaceAll(
      ' ',
      '',
    ) + '00000009 31302e31 302e312e 31000000 00000007'.replaceAll(' ', ''),
  );
});

test('a reply with a verifier of another flavour counts, one cut anywhere does not', (t) => {
  const whole = Buffer.from(
    '01020304 00000001 00000000 00000006 00000004 deadbeef 00000000'.replaceAll(' ', ''),
    'hex',
  );
  t.like(decodeReply(whole), { xid: 0x01020304, status: 'SUCCESS' });
  for (let length = 0; length < whole.length; length += 1) {
    t.throws(() => decodeReply(whole.subarray(0, length)), { code: 'XDR_MALFORMED' });
  }
});

test('a refusal with something behind it is not a reply', (t) => {
  for (const status of refusals) {
    const datagram = Buffer.concat([encodeReply({ xid: 1, status }), Buffer.alloc(4)]);
    t.throws(() => decodeReply(datagram), { code: 'XDR_MALFORMED' });
  }
});

// Bytes near to the real thing get further into a decoder than random ones do.
const nearlyWhole = fc
  .tuple(
    fc.constantFrom(
      encodeCall({
        xid: 1,
        program: 2,
        version: 3,
        procedure: 4,
        args: encodeStateChange({ name: 'nfs1', state: 1 }),
      }),
      ...refusals.map((status) => encodeReply({ xid: 1, status })),
      encodeReply({
        xid: 1,
        status: 'SUCCESS',
        results: Buffer.from('0000000e31302e302e302e312e332e3400', 'hex'),
      }),
      encodeStateChange({ name: 'nfs1.example.com', state: 1 }),
    ),
    fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
    fc.nat(80),
  )
  .map(([whole, changes, cut]) => {
    const bytes = new Uint8Array(whole);
    for (const [place, value] of changes) bytes[place % bytes.length] = value;
    return bytes.subarray(0, bytes.length - (cut < bytes.length ? cut % 5 : 0));
  });

test('a decoder throws nothing but its own error, whatever the bytes', (t) => {
  const decoders = [
    decodeCall,
    decodeReply,
    decodeStateChange,
    (bytes: Uint8Array) => portAnswer(4, bytes),
    (bytes: Uint8Array) => portAnswer(6, bytes),
  ];
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 2000 }), nearlyWhole), (bytes) => {
      for (const decode of decoders) {
        try {
          decode(bytes);
        } catch (error) {
          if (!isMalformed(error)) throw error;
        }
      }
    }),
    { numRuns: 5000 },
  );
  t.pass();
});
