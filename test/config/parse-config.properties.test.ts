import test from 'ava';
import * as fc from 'fast-check';
import { stringify } from 'smol-toml';
import { FailoverError } from '../../src/errors.js';
import { checkConfig } from '../../src/config/parse-config.js';
import { parse, replaced, sample, secondFloatingIp } from './sample.js';
import { drivers } from '../../src/lockmanager/drivers.js';

/** Runs `action`; anything but success or a FailoverError of the configuration is a defect. */
function onlyRefuses(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof FailoverError) || error.exitCode !== 3) throw error;
  }
}

const options = { file: 'f.toml', hostname: 'host1', drivers };
const words = [
  'node',
  'state',
  'floating_ip',
  'filesystem',
  'export',
  'fsid',
  'address',
  '__proto__',
  'toString',
];
const key = fc.oneof(fc.constantFrom(...words), fc.string());
const value = fc.anything({ key, withBigInt: true, withDate: true, withNullPrototype: true });

test('arbitrary text is refused with a FailoverError', (t) => {
  const token = fc.constantFrom(
    ...words,
    '[',
    ']',
    '[[',
    ']]',
    '=',
    '"',
    '{',
    '}',
    '\n',
    ' ',
    '.',
    '1',
    ',',
    '#',
    "'",
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(token).map((tokens) => tokens.join('')),
  );
  fc.assert(fc.property(text, (input) => onlyRefuses(() => parse(input))));
  t.pass();
});

test('a damaged example is refused with a FailoverError or still means something', (t) => {
  const damage = fc.tuple(fc.nat(sample.length), fc.nat(20), fc.string({ unit: 'binary', maxLength: 8 }));
  fc.assert(
    fc.property(damage, ([at, length, inserted]) =>
      onlyRefuses(() => parse(sample.slice(0, at) + inserted + sample.slice(at + length))),
    ),
  );
  t.pass();
});

test('arbitrary values in the right places are refused with a FailoverError', (t) => {
  const table = (entries: Record<string, fc.Arbitrary<unknown>>) =>
    fc.oneof(fc.record(entries, { requiredKeys: [] }), value);
  const exports = table({ path: value, clients: fc.string(), options: fc.string() });
  const filesystem = table({ fsid: value, device: value, mountpoint: value, export: fc.array(exports) });
  const floatingIp = table({ address: fc.string(), names: value, filesystem: fc.array(filesystem) });
  const file = table({ node: value, state: value, lock_manager: value, floating_ip: fc.array(floatingIp) });
  fc.assert(fc.property(file, (input) => onlyRefuses(() => checkConfig(input, options))));
  t.pass();
});

test('every string stands for itself or is refused, as TOML text too', (t) => {
  const property = fc.property(fc.string({ unit: 'binary' }), (text) => {
    const quoted = stringify({ device: text });
    onlyRefuses(() => {
      const [ip] = parse(replaced(sample, 'device = "/dev/vg0/vol1"', quoted)).floatingIps;
      const device = ip?.filesystems[0]?.device ?? '';
      if (!text.startsWith(device)) throw new Error(`${JSON.stringify(text)} became ${device}`);
    });
  });
  fc.assert(property);
  t.pass();
});

test('the result is frozen, all of it', (t) => {
  const visit = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    t.true(Object.isFrozen(part), JSON.stringify(part));
    Object.values(part).forEach(visit);
  };
  visit(parse(sample + secondFloatingIp));
  // The defaults belong to the module: two results must not share what could be changed.
  visit(parse(replaced(sample, '["systemctl", "restart", "nfs-server"]', '["a"]')));
});
