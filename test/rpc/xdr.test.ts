import test, { type ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { isMalformed, XdrReader, XdrWriter } from '../../src/rpc/xdr.js';

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

test('what is written is read back, and its length is a multiple of four', (t) => {
  fc.assert(
    fc.property(
      uint32,
      int32,
      fc.uint8Array({ maxLength: 50 }),
      fc.string(),
      (count, number, bytes, text) => {
        const written = new XdrWriter()
          .uint32(count)
          .opaque(bytes, 50)
          .int32(number)
          .opaque(text, 1000)
          .toBuffer();
        const reader = new XdrReader(written);
        t.is(written.length % 4, 0);
        t.is(reader.uint32('count'), count);
        t.deepEqual(new Uint8Array(reader.opaque(50, 'bytes')), bytes);
        t.is(reader.int32('number'), number);
        t.is(reader.string(1000, 'text'), Buffer.from(text).toString());
        reader.end('it all');
      },
    ),
  );
});

test('text is padded with zeros to four bytes', (t) => {
  t.is(new XdrWriter().opaque('nfs1b', 8).toBuffer().toString('hex'), '000000056e66733162000000');
});

test('a value over its limit is never written', (t) => {
  t.throws(() => new XdrWriter().opaque('nfs1', 3), { code: 'XDR_TOO_LONG', message: /4 bytes.*at most 3/ });
  t.throws(() => new XdrWriter().opaque('é'.repeat(513), 1024), { code: 'XDR_TOO_LONG' });
});

function testRefused(t: ExecutionContext, hex: string, read: (reader: XdrReader) => unknown): void {
  const error = t.throws(() => read(new XdrReader(Buffer.from(hex, 'hex'))), { code: 'XDR_MALFORMED' });
  t.true(isMalformed(error));
}

test('refused: a number cut short', testRefused, '000000', (reader: XdrReader) => reader.uint32('n'));
test('refused: a length that lies', testRefused, '0000000861626364', (reader: XdrReader) =>
  reader.opaque(8, 's'),
);
test('refused: a length of 4 GiB', testRefused, 'ffffffff61626364', (r: XdrReader) => r.opaque(2 ** 32, 's'));
test('refused: a length over the limit', testRefused, '0000000461626364', (r: XdrReader) => r.opaque(3, 's'));
test('refused: padding cut short', testRefused, '0000000161', (reader: XdrReader) => reader.opaque(8, 's'));
test('refused: padding that hides something', testRefused, '0000000161000001', (r: XdrReader) =>
  r.opaque(8, 's'),
);
test('refused: bytes after the end', testRefused, '00000001', (reader: XdrReader) => {
  reader.end('nothing');
});

test('a reader never reads what is not its own', (t) => {
  const pool = Buffer.from('00000004616263640000000165', 'hex');
  const reader = new XdrReader(pool.subarray(0, 8));
  t.is(reader.string(4, 's'), 'abcd');
  reader.end('the string');
});
