// What CTDB's public tests show of its statd-callout (samba ctdb/tests/UNIT/eventscripts/statd-callout.001 to .008 and .050), of our callout and the
// process that notifies: who is recorded, forgotten, notified, for each address and node. Told anew, and where ours is to do otherwise, that is said.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { servingJournal } from '../../src/rundir/serving.js';
import { startLoopbackClient } from '../demo/loopback-client.js';
import type { RehearsalNode } from '../helpers/rehearsal-site.js';
import { projectRoot } from '../lab/project-root.js';
import { addresses, type CtdbSite, ctdbSite } from './helpers/ctdb-site.js';
import { hasMoved, type Running, start } from './helpers/running.js';
import { until } from './helpers/serving.js';

const [first, second] = addresses;

/** What rpc.statd of a node runs. */
function callout({ run }: Running, ...words: string[]): void {
  const { NLM_FAILOVER_RUN: _, ...inherited } = process.env;
  const env = { ...inherited, NLM_FAILOVER_RUN: run };
  execFileSync(path.join(projectRoot(), 'callouts/ha-callout'), words, { env });
}

/** Who is recorded for an address, as any node says it. */
async function recorded(node: RehearsalNode, address: string): Promise<string[]> {
  const { stdout } = await node.here(['clients', address]);
  const found = [...stdout.matchAll(/^127\.79\.1\.\d\s+\S+\s+(\S+)/gm)].map(([, client = '']) => client);
  return [...new Set(found)].toSorted();
}

/** The addresses come to where they are to be, as CTDB says it, and the graces end. */
async function take(site: CtdbSite, all: readonly Running[], given: readonly (readonly string[])[]) {
  const before = Math.max(...all.map(({ process: { state } }) => state?.generation ?? 0));
  for (const [at, node] of site.nodes.entries()) site.give(node, given[at] ?? []);
  for (const one of all) hasMoved(one);
  const isAt = (phase: string) =>
    all.every(({ process: { state } }) => (state?.generation ?? 0) > before && state?.phase === phase);
  await until(() => isAt('started'));
  return async () => {
    for (const node of site.nodes) node.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
    await until(() => isAt('idle'));
  };
}

async function nodes(t: ExecutionContext, port: number, change: (text: string) => string = (text) => text) {
  const site = ctdbSite(t, port);
  for (const node of site.nodes)
    node.write('/etc/nlm-failover.toml', change(node.read('/etc/nlm-failover.toml')));
  const [a, b] = [await start(t, site.a, port), await start(t, site.b, port)];
  await until(() => [a, b].every(({ process }) => process.state !== undefined));
  return { site, a, b };
}

test('001, 002, 003, 007, 050: recorded and forgotten, under each address that the node has', async (t) => {
  const { site, a, b } = await nodes(t, 1);
  // No address has come to either: nobody is recorded (001, 002 and 003 as they are told today).
  callout(a, 'add-client', '127.79.4.1', 'cluster1');
  t.is(servingJournal(a.run, first), undefined);
  t.false(existsSync(path.join(site.shared, `sm_${first}`)));

  await (
    await take(site, [a, b], [[first, second], []])
  )();
  callout(a, 'add-client', '127.79.4.1', 'cluster1');
  callout(b, 'add-client', '127.79.4.9', 'cluster1');
  for (const address of addresses) t.deepEqual(await recorded(site.a, address), ['127.79.4.1'], '001');

  callout(a, 'add-client', '127.79.4.2', 'cluster1');
  for (const address of addresses)
    t.deepEqual(await recorded(site.a, address), ['127.79.4.1', '127.79.4.2'], '002');

  callout(a, 'del-client', '127.79.4.1', 'cluster1');
  for (const address of addresses) t.deepEqual(await recorded(site.a, address), ['127.79.4.2'], '003');

  // In one look at the journal.
  callout(a, 'add-client', '127.79.4.3', 'cluster1');
  callout(a, 'del-client', '127.79.4.3', 'cluster1');
  for (const address of addresses) t.deepEqual(await recorded(site.a, address), ['127.79.4.2'], '007');

  // Anybody can send that: it is no word that a client has gone.
  const before = readFileSync(servingJournal(a.run, first) ?? '', 'utf8');
  callout(a, 'sm-notify', '127.79.4.2', 'client2', '9999');
  t.is(readFileSync(servingJournal(a.run, first) ?? '', 'utf8'), before, '050');
  t.deepEqual(await recorded(site.a, first), ['127.79.4.2']);
});

test('004, 005, 006, 008: notified from the addresses of the node that has them, as they know it; and recorded still', async (t) => {
  const heard: string[] = [];
  const states = new Map<string, number[]>();
  let port = 0;
  const client = async (address: string) => {
    const one = await startLoopbackClient(address, port, (name, state, source) => {
      heard.push(`${address} ${source} ${name}`);
      states.set(source, [...(states.get(source) ?? []), state]);
    });
    t.teardown(() => one.close());
    ({ port } = one);
  };
  await client('127.79.4.1');
  await client('127.79.4.2');
  const named = (text: string) =>
    text
      .replace(`"${first}/24"`, '$&\nnames = ["nfs1.example.com"]')
      .replace(`"${second}/24"`, '$&\nlegacy_notify = true');
  const { site, a, b } = await nodes(t, port, named);
  const told = () => [...new Set(heard)].toSorted();
  const firstTo = (to: string) => [first, 'nfs1', 'nfs1.example.com'].map((name) => `${to} ${first} ${name}`);
  const secondTo = (to: string) => `${to} ${second} ${second}`;

  // 004: one node has both; its client hears from both, by every name, and is recorded still: CTDB has forgotten it, and the next move told nobody.
  await (
    await take(site, [a, b], [[first, second], []])
  )();
  callout(a, 'add-client', '127.79.4.1', 'cluster1');
  let over = await take(site, [a, b], [[first, second], []]);
  await until(() => told().length >= 4);
  t.deepEqual(told(), [...firstTo('127.79.4.1'), secondTo('127.79.4.1')].toSorted());
  for (const address of addresses) t.deepEqual(await recorded(site.b, address), ['127.79.4.1']);
  const [one, pair] = [states.get(first) ?? [], states.get(second) ?? []];
  t.is(new Set(one).size, 1, 'one state, whatever the name');
  t.is((one[0] ?? 0) % 2, 1, 'an odd one');
  const odd = Math.max(...pair);
  t.deepEqual([...new Set(pair)], [odd - 1, odd], 'legacy_notify: the even one before it');
  await over();

  // 005: one of the addresses moves. Its client hears from there, from the node that has it now; and from the other one, whose locks went too.
  heard.length = 0;
  over = await take(site, [a, b], [[second], [first]]);
  await until(() => told().length >= 4);
  t.deepEqual(told(), [...firstTo('127.79.4.1'), secondTo('127.79.4.1')].toSorted());
  await over();

  // 006, 008: each node has one. Each client hears from the address of its node alone.
  callout(a, 'del-client', '127.79.4.1', 'cluster1');
  callout(b, 'add-client', '127.79.4.1', 'cluster1');
  callout(a, 'add-client', '127.79.4.2', 'cluster1');
  t.deepEqual(await recorded(site.a, first), ['127.79.4.1']);
  t.deepEqual(await recorded(site.a, second), ['127.79.4.2']);
  heard.length = 0;
  over = await take(site, [a, b], [[second], [first]]);
  await until(() => told().length >= 4);
  t.deepEqual(told(), [...firstTo('127.79.4.1'), secondTo('127.79.4.2')].toSorted());
  await over();
  t.deepEqual(await recorded(site.b, first), ['127.79.4.1']);
  t.deepEqual(await recorded(site.b, second), ['127.79.4.2']);
});
