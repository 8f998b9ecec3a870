/**
 * How long it takes until the last of many clients has been notified, by our notifier beside the stock sm-notify, one
 * after the other in one run on a farm of clients that all answer at once, on the loopback of a network namespace;
 * prints a table. The start of the process counts. Needs root, nfs-utils and rpcbind:
 *
 *     node build/test/bench/notify.js [CLIENTS...]      default: 100 1000
 *
 * Stock sm-notify sends one name, its record's my_name (with -v it needs reverse DNS), so ours does too; the last
 * column is ours with the three names of a floating IP. It is given two minutes.
 */
import { chmod, chown, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Netns, netnsUnavailable, type Program, withNetns } from '../helpers/netns.js';
import { startNotify } from '../wire/notify.js';

const patienceMs = 120_000;

interface Sender {
  readonly name: string;
  readonly start: (netns: Netns, clients: string[]) => Promise<Program | undefined>;
}

const senders: Sender[] = [
  { name: 'sm-notify', start: startStock },
  { name: 'ours', start: (netns, clients) => startOurs(netns, clients, ['127.0.0.1']) },
  {
    name: 'ours, 3 names',
    start: (netns, clients) => startOurs(netns, clients, ['127.0.0.1', 'nfs1.example.com', 'nfs1']),
  },
];

async function startStock(netns: Netns, clients: string[]): Promise<Program> {
  const directory = '/run/sm-notify';
  const { uid, gid } = await stat(netns.path('/var/lib/nfs/sm'));
  await rm(netns.path(directory), { recursive: true, force: true });
  for (const part of ['', '/sm', '/sm.bak']) {
    await mkdir(netns.path(directory + part));
    await chown(netns.path(directory + part), uid, gid);
  }
  // nfs-utils support/nsm/file.c: address of the caller, program, version, procedure of its callback, cookie, names.
  const record = `0100007f 000186b5 00000003 00000010 ${'0'.repeat(32)}`;
  for (const client of clients) {
    const file = netns.path(`${directory}/sm/${client}`);
    await writeFile(file, `${record} ${client} nfs1\n`);
    await chmod(file, 0o600);
    await chown(file, uid, gid);
  }
  return netns.start('sm-notify', ['-d', '-f', '-m', '2', '-P', directory]);
}

function startOurs(netns: Netns, clients: string[], names: string[]): Promise<undefined> {
  const source = { address: '127.0.0.1', family: 4 } as const;
  startNotify(netns, { source, names, state: 3, clients, deadlineMs: patienceMs }).result.catch(
    () => undefined,
  );
  return Promise.resolve(undefined);
}

/** Milliseconds until the last client was notified, or how many were when patience ended. */
async function measure(count: number, sender: Sender): Promise<number | string> {
  const ends: (() => Promise<void>)[] = [];
  try {
    const netns = await withNetns({ teardown: (end) => ends.push(end) });
    const farm = netns.start(process.execPath, [join(import.meta.dirname, 'notify-farm.js'), String(count)]);
    const [, addresses = ''] = await farm.saw(/^ready (.*)\n/m);
    const start = performance.now();
    await sender.start(netns, addresses.split(' '));
    const all = await Promise.race([farm.saw(/^all$/m), pause(patienceMs, undefined, { ref: false })]);
    const ms = performance.now() - start;
    if (all !== undefined) return ms;
    farm.end();
    const [, notified = '0'] = await farm.saw(/^notified (\d+)$/m);
    return `${notified} of ${count}`;
  } finally {
    for (const end of ends) await end();
  }
}

const missing = netnsUnavailable();
if (missing !== undefined) throw new Error(`this measurement ${missing}`);
const counts = process.argv.length > 2 ? process.argv.slice(2).map(Number) : [100, 1000];
for (const count of counts) {
  const row: Record<string, string> = {};
  let stock: number | undefined;
  for (const sender of senders) {
    const ms = await measure(count, sender);
    if (sender.name === 'sm-notify' && typeof ms === 'number') stock = ms;
    const ratio = stock === undefined || typeof ms === 'string' ? '' : ` (${(ms / stock).toFixed(3)})`;
    row[sender.name] = typeof ms === 'string' ? ms : `${ms.toFixed(0)} ms${ratio}`;
  }
  console.log(`${count} clients:`, row);
}
