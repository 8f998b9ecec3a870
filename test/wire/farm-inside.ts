// Run inside a namespace with an eth0: a farm of clients, each with an address, an rpcbind and a statd of its own. Input:
//   up ADDRESS...    these come up; says "up N", how many are up then
//   heard            says "all " and, as JSON, [address, state, mon_name, source] of each SM_NOTIFY, once
// Says "heard by N of M" for each SM_NOTIFY: of the M that are up, N have heard every name with its state.
import { execFileSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { accept, Farm, type Incoming } from '../nsm/notify/farm.js';
import { decodeStateChange } from '../../src/nsm/notify/sm-notify.js';

const names = Number(process.argv[2]);
const farm = new Farm(111);
const heard = new Set<string>();
/** By state, by client: the names it has heard. */
const heardNames = new Map<number, Map<string, Set<string>>>();

function listen(incoming: Incoming): Uint8Array[] {
  const { name, state } = decodeStateChange(incoming.call.args);
  const { address } = incoming.client;
  heard.add(JSON.stringify([address, state, name, incoming.from.address]));
  const clients = heardNames.get(state) ?? new Map<string, Set<string>>();
  heardNames.set(state, clients.set(address, (clients.get(address) ?? new Set()).add(name)));
  const whole = [...clients.values()].filter(({ size }) => size === names).length;
  process.stdout.write(`heard by ${whole} of ${farm.clients.length}\n`);
  return accept(incoming);
}

async function comeUp(addresses: readonly string[]): Promise<void> {
  const input = addresses.map((address) => `address add ${address}/32 dev eth0\n`).join('');
  execFileSync('ip', ['-batch', '-'], { input });
  for (const address of addresses) await farm.client(address, { statd: listen });
  process.stdout.write(`up ${farm.clients.length}\n`);
}

process.stdout.write('ready\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [word, ...addresses] = line.split(' ');
  if (word === 'up') await comeUp(addresses);
  else process.stdout.write(`all ${JSON.stringify([...heard].map((one) => JSON.parse(one) as unknown))}\n`);
}
