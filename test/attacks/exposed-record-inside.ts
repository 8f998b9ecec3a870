// usage: node exposed-record-inside.js ETAB STATE-DIRECTORY: the exports through which clients reach a record there, one a line.
import { readFileSync } from 'node:fs';
import type { FloatingIp } from '../../src/config/config.js';
import { exposures } from '../../src/failover/access/exposure.js';
import { etab } from '../../src/host/reading/exports.js';
import type { Host } from '../../src/host/host.js';
import { realHost } from '../../src/host/real.js';

const [, , table = '', stateDirectory = ''] = process.argv;
/** This machine, with an etab of the test's. */
const host: Host = {
  ...realHost,
  readText: (file) => (file === etab ? readFileSync(table, 'utf8') : realHost.readText(file)),
};
const floatingIp: FloatingIp = {
  address: '10.10.1.1',
  family: 4,
  prefix: 24,
  interface: 'eth0',
  names: [],
  stateDirectory,
  trustClients: false,
  filesystems: [],
};
const none = { current: async () => [] };
const exports = { ...none, has: async () => false, make: () => never(), takeAway: () => never() };
const found = await exposures({ host, config: { floatingIps: [] }, floatingIp, driver: { exports } });
process.stdout.write(found.map((one) => `${one}\n`).join(''));

function never(): never {
  throw new Error('nothing is exported here');
}
