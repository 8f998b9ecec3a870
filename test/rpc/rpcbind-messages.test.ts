import test, { type ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import {
  encodePortAnswer,
  portAnswer,
  portOfUniversalAddress,
  portQuestion,
  universalAddress,
} from '../../src/rpc/rpcbind-messages.js';
import { XdrWriter } from '../../src/rpc/xdr.js';

const statd = { program: 100024, version: 1, protocol: 'udp' } as const;

test('IPv4 asks the port mapper: PMAP_GETPORT of (program, version, UDP, 0)', (t) => {
  const { args, ...question } = portQuestion(4, statd);
  t.deepEqual(question, { program: 100000, version: 2, procedure: 3 });
  t.is(Buffer.from(args).toString('hex'), '000186b8000000010000001100000000');
});

test('IPv6 asks rpcbind: RPCB_GETADDR of (program, version, "udp6", "", "")', (t) => {
  const { args, ...question } = portQuestion(6, statd);
  t.deepEqual(question, { program: 100000, version: 3, procedure: 3 });
  t.is(Buffer.from(args).toString('hex'), '000186b80000000100000004756470360000000000000000');
});

test('every port is read back in both families, 0 for not registered', (t) => {
  fc.assert(
    fc.property(fc.constantFrom(4, 6), fc.integer({ min: 0, max: 65535 }), (family, port) => {
      t.is(portAnswer(family, encodePortAnswer(family, 'fd00::1', port)), port);
    }),
  );
});

function testNoPort(t: ExecutionContext, family: 4 | 6, results: Uint8Array): void {
  t.throws(() => portAnswer(family, results), { code: 'XDR_MALFORMED' });
}
const text = (value: string): Buffer => new XdrWriter().opaque(value, 1000).toBuffer();

test('no port: 65536', testNoPort, 4, new XdrWriter().uint32(65536).toBuffer());
test('no port: two numbers', testNoPort, 4, new XdrWriter().uint32(111).uint32(0).toBuffer());
test('no port: nothing', testNoPort, 4, new Uint8Array());
test('no port: a universal address that says 0', testNoPort, 6, text('fd00::1.0.0'));
test('no port: an octet of 256', testNoPort, 6, text('fd00::1.256.1'));
test('no port: a line feed', testNoPort, 6, text('fd00::1.3.4\n'));
test('no port: an address without one', testNoPort, 6, text('fd00::1'));
test('no port: 300 bytes', testNoPort, 6, text(`${'0'.repeat(296)}.3.4`));

test('universal addresses', (t) => {
  t.is(portOfUniversalAddress('10.0.0.1.3.4'), 772);
  t.is(portOfUniversalAddress('::.0.111'), 111);
  t.is(portOfUniversalAddress('fe80::1%eth0.3.4'), 772);
  t.is(portOfUniversalAddress(universalAddress('::1', 65535)), 65535);
});
