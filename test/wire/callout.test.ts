import { chmod, chown, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { parseJournal } from '../../src/record/journal/journal.js';
import { type Netns, withNetns } from '../helpers/netns.js';
import { netnsTest as test } from './netns-test.js';
import { reachableCallout as callout } from '../helpers/reachable-callout.js';
import { startNotify } from './notify.js';
import type { SmMon, SmMonResult } from './sm-mon.js';
import { startRpcbind, startStatd, witnessed } from './statd.js';

// The callout as rpc.statd itself runs it, fed by SM_MON and SM_UNMON as lockd feeds it.
const address = '10.99.0.1';

/** A journal as B-2 leaves it, and the serving link to it. Returns its path in the namespace. */
async function serve(netns: Netns, run: string): Promise<string> {
  const { uid, gid } = await lstat(netns.path('/var/lib/nfs/sm'));
  const directory = `/run/state/sm_${address}`;
  const journal = `${directory}/journal.A`;
  await mkdir(netns.path(directory), { recursive: true });
  await chmod(netns.path(directory), 0o711);
  await writeFile(netns.path(journal), '');
  await chmod(netns.path(journal), 0o600);
  await chown(netns.path(journal), uid, gid);
  await mkdir(netns.path(`${run}/serving`), { recursive: true });
  await mkdir(netns.path(`${run}/marks`), { mode: 0o700 });
  await chown(netns.path(`${run}/marks`), uid, gid);
  await symlink(journal, netns.path(`${run}/serving/${address}`));
  return journal;
}

async function callStatd(netns: Netns, requests: SmMon[]): Promise<(SmMonResult | string)[]> {
  const script = join(import.meta.dirname, 'sm-mon-inside.js');
  return JSON.parse(await netns.run(process.execPath, script, JSON.stringify(requests))) as SmMonResult[];
}

const mon = (monName: string): SmMon => ({ procedure: 'mon', monName, myName: 'A' });
const unmon = (monName: string): SmMon => ({ procedure: 'unmon', monName, myName: 'A' });

/** "add-client 10.99.0.21", line by line; "?" for a line that no reader understands. */
async function events(netns: Netns, journal: string): Promise<string[]> {
  const { entries } = parseJournal(await readFile(netns.path(journal)));
  return entries.map(({ line }) =>
    line?.kind === 'add-client' || line?.kind === 'del-client' ? `${line.kind} ${line.client}` : '?',
  );
}

async function testRecorded(t: ExecutionContext, run: string, env: Record<string, string>): Promise<void> {
  const netns = await withNetns(t);
  const journal = await serve(netns, run);
  await startRpcbind(netns);
  await startStatd(netns, callout, env);
  const requests = [mon('10.99.0.21'), mon('fd99::21'), mon('fe80::21%1'), unmon('10.99.0.21')];
  t.deepEqual(
    (await callStatd(netns, requests)).map((result) => (typeof result === 'string' ? result : result.failed)),
    [false, false, false, undefined],
  );
  t.deepEqual(await events(netns, journal), [
    'add-client 10.99.0.21',
    'add-client fd99::21',
    'add-client fe80::21%1',
    'del-client 10.99.0.21',
  ]);
  const { mode, uid } = await lstat(netns.path(journal));
  const directory = await lstat(netns.path(dirname(journal)));
  t.deepEqual([mode & 0o777, uid], [0o600, (await lstat(netns.path('/var/lib/nfs/sm'))).uid]);
  t.not(uid, 0);
  t.deepEqual([directory.mode & 0o777, directory.uid], [0o711, 0]);
  t.deepEqual(await readdir(netns.path(`${run}/marks`)), []);
}
test(
  "SM_MON and SM_UNMON are in the journal, written as statd's user",
  testRecorded,
  '/run/nlm-failover',
  {},
);
test('statd hands its environment on: NLM_FAILOVER_RUN reaches the callout', testRecorded, '/run/elsewhere', {
  NLM_FAILOVER_RUN: '/run/elsewhere',
});

// statd asks the resolver for every name, so these get as far as the callout only where /etc/hosts has them.
const resolvable = [
  '-rf',
  '*',
  '@1',
  "x'y",
  '"q"',
  'a;b',
  'a|b',
  'a&b',
  '`id`',
  '$(id)',
  '${IFS}',
  'a\\nb',
  'caf\xe9',
];
const notRefused = ['a%sb', 'client1.example.com'];
const unresolvable = [
  '',
  '.',
  '..',
  '.x',
  'a/b',
  '../../../run/x',
  'a b',
  'a\nb',
  '10.99.0.5\n@1 1 add-client evil - - .',
];
const tooLong = [256, 1000, 1024, 5000].map((length) => 'y'.repeat(length));

test('hostile names in SM_MON and SM_NOTIFY add nothing', async (t) => {
  const netns = await withNetns(t);
  const inHosts = [...resolvable, ...notRefused, ...tooLong];
  const hosts = inHosts.map((name, index) => `127.0.7.${index} ${name}\n`).join('');
  await writeFile(netns.path('/run/hosts'), `127.0.0.1 localhost\n${hosts}`, 'latin1');
  await netns.run('mount', '--bind', '/run/hosts', '/etc/hosts');
  const journal = await serve(netns, '/run/nlm-failover');
  await startRpcbind(netns);
  // The callout behind a witness, which shows what reached it.
  await mkdir(netns.path('/run/witness'));
  await chmod(netns.path('/run/witness'), 0o777);
  const both = `#!/bin/sh\nprintf '%s\\n' "$1 $2" >>/run/witness/events\nexec '${callout}' "$@"\n`;
  await writeFile(netns.path('/run/both'), both);
  await chmod(netns.path('/run/both'), 0o755);
  await startStatd(netns, '/run/both');

  await callStatd(netns, [...resolvable, ...unresolvable, ...tooLong, ...notRefused].map(mon));
  const reached = await witnessed(netns);
  t.log(reached.map((event) => event.slice(0, 40)).join(', '));
  t.true(reached.includes('add-client -rf') && reached.includes('add-client $(id)'));

  const { notified } = await startNotify(netns, {
    source: { address: '127.0.0.1', family: 4 },
    names: ['-rf', '../x', 'a\n@1 1 add-client evil - - .', 'y'.repeat(1000), '$(id)'],
    state: 3,
    clients: ['127.0.0.1'],
    deadlineMs: 60_000,
  }).result;
  t.deepEqual(notified, ['127.0.0.1']);
  t.true((await witnessed(netns)).includes('sm-notify ../x'));

  t.deepEqual(await events(netns, journal), ['add-client a%sb', 'add-client client1.example.com']);
  t.deepEqual(await readdir(netns.path('/run/nlm-failover/marks')), ['refused']);
  t.deepEqual(await readdir(netns.path('/run/state')), [`sm_${address}`]);
});
