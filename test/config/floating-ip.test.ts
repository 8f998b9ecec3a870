import test from 'ava';
import { FailoverError } from '../../src/errors.js';
import { findFloatingIp, notifyNames } from '../../src/config/floating-ip.js';
import { parse, sample, secondFloatingIp } from './sample.js';

const config = parse(sample + secondFloatingIp);

for (const [text, address] of [
  ['10.10.1.1', '10.10.1.1'],
  ['10.10.1.1/24', '10.10.1.1'],
  ['fd00::1', 'fd00::1'],
  ['FD00:0:0::0001/64', 'fd00::1'],
] as const) {
  test(`found: ${text}`, (t) => {
    t.is(findFloatingIp(config, text).address, address);
  });
}

for (const text of [
  '',
  '10.10.1.2',
  '10.10.1.1/25',
  '10.10.1.1/',
  '/24',
  'nfs1.example.com',
  'fd00::1%eth0',
  '\u001b',
]) {
  test(`not found: ${JSON.stringify(text)}`, (t) => {
    const error = t.throws(() => findFloatingIp(config, text), { instanceOf: FailoverError });
    t.is(
      error.message,
      `${JSON.stringify(text)} is not a floating IP of f.toml: configured are 10.10.1.1, fd00::1`,
    );
    t.is(error.exitCode, 2);
    t.is(error.code, 'UNKNOWN_ADDRESS');
  });
}

for (const [names, expected] of [
  [[], ['10.10.1.1']],
  [['nfs1.example.com'], ['10.10.1.1', 'nfs1.example.com', 'nfs1']],
  [
    ['nfs1', 'nfs1.example.com', 'NFS1.example.org'],
    ['10.10.1.1', 'nfs1', 'nfs1.example.com', 'NFS1.example.org'],
  ],
] as const) {
  test(`names sent for ${JSON.stringify(names)}`, (t) => {
    t.deepEqual(notifyNames({ address: '10.10.1.1', names }), [...expected]);
  });
}
