import { isIP } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import * as fc from 'fast-check';
import { readClient } from '../../../src/nsm/notify/client-address.js';

const interfaces = {
  ofSource: undefined,
  byIndex: new Map([
    [2, 'eth0'],
    [3, 'bond0.7'],
  ]),
};

function testAddress(t: ExecutionContext, text: string, family: 4 | 6, address: string): void {
  t.deepEqual(readClient(text, interfaces), { kind: 'address', family, address });
}

test('address: IPv4', testAddress, '10.10.1.21', 4, '10.10.1.21');
test('address: IPv6, as a reply will show it', testAddress, 'FD00:0:0::00A', 6, 'fd00::a');
test('address: IPv4-compatible', testAddress, '::0102:0304', 6, '::1.2.3.4');
test('address: mapped is IPv4', testAddress, '::ffff:10.10.1.21', 4, '10.10.1.21');
test('address: mapped in hexadecimal is IPv4', testAddress, '0:0:0:0:0:FFFF:0a0a:115', 4, '10.10.1.21');
test('address: link-local by index, as lockd writes it', testAddress, 'fe80::1%2', 6, 'fe80::1%eth0');
test('address: link-local by interface name', testAddress, 'fe80::1%bond0.7', 6, 'fe80::1%bond0.7');

test("the index is another node's: the floating IP's own interface goes before it", (t) => {
  const here = { ...interfaces, ofSource: 'bond0.7' };
  t.like(readClient('fe80::1%2', here), { address: 'fe80::1%bond0.7' });
  t.like(readClient('fe80::1', here), { address: 'fe80::1%bond0.7' });
  t.like(readClient('fe80::1%eth0', here), { address: 'fe80::1%eth0' });
});

for (const name of [
  'client1',
  'client1.example.com',
  'client1.example.com.',
  'build_7',
  '1client',
  'a'.repeat(63),
]) {
  test(`name: ${name}`, (t) => {
    t.deepEqual(readClient(name, interfaces), { kind: 'name', name });
  });
}

const noNames = `|.|..|-rf|a..b|a/b|../../etc/passwd|a b|$(id)|'|é|%s%n|'; drop table monitor; --`.split('|');
const oddBytes = ['a\nb', 'client1\n', '10.10.1.1\n', 'a\0b', 'fe80::1%eth0\n'];
const tooLong = ['a'.repeat(64), `${'a.'.repeat(127)}a`, 'x'.repeat(100_000)];
const misspelt =
  '010.10.1.1|10.1|10|0x7f000001|0x7f.1|1.2.3.4.5|256.1.1.1|10.10.1.1 |1.2.3.4.|a.0x|[::1]'.split('|');
const nowhere =
  '0.0.0.0|224.0.0.1|255.255.255.255|::|ff02::1|::ffff:224.0.0.1|fd00::1%eth0|::ffff:10.10.1.21%eth0'.split(
    '|',
  );
const noInterface = 'fe80::1|fe80::1%9|fe80::1%wlan0|fe80::1%|fe80::1%eth0%eth0'.split('|');
const unusable = [noNames, oddBytes, tooLong, misspelt, nowhere, noInterface].flat();
for (const text of unusable) {
  test(`unusable: ${JSON.stringify(text.slice(0, 40))} of ${text.length}`, (t) => {
    t.is(readClient(text, interfaces).kind, 'unusable');
  });
}

test('whatever the text, only a plain address or a plain name comes out', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'binary' }), fc.ipV4(), fc.ipV6(), fc.domain(), fc.string()),
      (text) => {
        const read = readClient(text, interfaces);
        if (read.kind === 'address') t.is(isIP(read.address), read.family);
        if (read.kind === 'name') t.regex(read.name, /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$/);
      },
    ),
    { numRuns: 2000 },
  );
  t.pass();
});
