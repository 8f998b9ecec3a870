// A-3 of an address whose exports stay: what its clients hold through another address of the node goes too, so that these are notified from
// there; and of which nodes nobody waits for an answer, by what Pacemaker says.
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startLoopbackClient } from '../../demo/loopback-client.js';
import { asOf, recordedAnswers } from '../../helpers/cluster-answers.js';
import { addClient } from '../../helpers/rehearsal-steps.js';
import { address, other, sharedSite, type SharedSite } from '../../helpers/shared-site.js';

const quick = ['--no-wait', '--notify-deadline', '1'];
let number = 20;

interface Told {
  /** Of whom it was notified, and from where. */
  readonly name: string;
  readonly source: string;
  readonly isFrozen: boolean;
}

/** A serves both addresses, and a client has locks through both. At each notification statd forgets it, as its lock manager has. */
async function served(t: ExecutionContext): Promise<{ site: SharedSite; client: string; told: Told[] }> {
  const told: Told[] = [];
  const frozen = () => site.a.path(`/run/nlm-failover/frozen/${other}`);
  const client = await startLoopbackClient(`127.78.1.${(number += 1)}`, 0, (name, _, source) => {
    const isFrozen = existsSync(frozen());
    told.push({ name, source, isFrozen });
    // A process that is slow to answer is told again, and hears that when all is over.
    if (isFrozen) addClient(site.a, client.address, 'del-client');
  });
  t.teardown(() => client.close());
  const site = sharedSite(t, 'barrier = 1\nsettle = 2', client.port);
  for (const one of [address, other]) t.is((await site.a.here(['takeover', one, ...quick])).exitCode, 5);
  addClient(site.a, client.address);
  return { site, client: client.address, told };
}

test('a client of both is notified from the one that stays, whose record it does not leave meanwhile', async (t) => {
  const { site, client, told } = await served(t);
  const released = await site.a.here(['release', address]);
  t.is(released.exitCode, 0, released.stdout + released.stderr);
  t.regex(released.stdout, /A-3 .*1 client of 127\.78\.1\.2 notified too/);
  t.true(told.some(({ name }) => name === other));
  const first = [...new Map(told.toReversed().map((one) => [one.name, one])).values()];
  t.true(
    first.every(({ isFrozen }) => isFrozen) && told.every(({ source }) => source === other),
    JSON.stringify(told),
  );
  t.false(existsSync(site.a.path(`/run/nlm-failover/frozen/${other}`)), 'it is thawed');
  t.true((await site.a.here(['clients', other])).stdout.includes(client), 'it is in the record still');
  // And it is owed what it has of the other one, on the next node.
  told.length = 0;
  t.is((await site.b.here(['takeover', address, ...quick])).exitCode, 5);
  t.true(told.some(({ name, source }) => name === address && source === address));
});

test('one that does not answer is named, and stays owed', async (t) => {
  const { site, client } = await served(t);
  // Nobody is there: this one has no rpcbind.
  addClient(site.a, '127.78.1.99');
  const released = await site.a.here(['release', address]);
  t.is(released.exitCode, 0, released.stdout + released.stderr);
  t.regex(
    released.stdout,
    /1 client of 127\.78\.1\.2 notified too; NOT NOTIFIED of 127\.78\.1\.2: 127\.78\.1\.99 \(.*\); "nlm-failover notify 127\.78\.1\.2" tries them again/,
  );
  const status = JSON.parse((await site.a.here(['status', other, '--json'])).stdout) as {
    record: { notNotified: number };
  };
  t.is(status.record.notNotified, 1, client);
});

test('a record beside that cannot be used is said, and keeps the address from nobody', async (t) => {
  const { site, told } = await served(t);
  writeFileSync(path.join(site.shared, `sm_${other}`, 'monitors.db'), 'no database'.repeat(1000));
  const released = await site.a.here(['release', address]);
  t.is(released.exitCode, 0, released.stdout + released.stderr);
  t.regex(released.stdout, /clients of 127\.78\.1\.2 may have lost locks, and are not notified: /);
  t.deepEqual(told, []);
  t.regex((await site.b.here(['status', address])).stdout, /owner +A, epoch 1, released/);
});

test('an address beside that another node has by now is left alone', async (t) => {
  const { site, told } = await served(t);
  t.is((await site.b.here(['takeover', other, '--fenced', ...quick])).exitCode, 0);
  told.length = 0;
  const released = await site.a.here(['release', address]);
  t.is(released.exitCode, 0, released.stdout + released.stderr);
  t.notRegex(released.stdout, /127\.78\.1\.2/);
  t.deepEqual(told, []);
});

const resource = 'nfs-10.10.1.1-locks';

test('a node that Pacemaker has fenced is not waited for; one that is back is, whatever was before', async (t) => {
  const { b } = sharedSite(t, 'barrier = 12');
  b.write('/pacemaker.json', JSON.stringify(recordedAnswers('both-online')));
  const there = await b.here(['takeover', address, '--resource', resource, ...quick]);
  t.is(there.exitCode, 5, there.stdout + there.stderr);
  t.regex(there.stdout, /NOTE: node A has not answered within 12 s/);
  b.write('/pacemaker.json', JSON.stringify(asOf(recordedAnswers('fenced'), Date.now() + 1000)));
  const gone = await b.here(['takeover', other, '--resource', resource, ...quick]);
  t.is(gone.exitCode, 0, gone.stdout + gone.stderr);
  t.regex(gone.stdout, /B-2 .*not waited for A: A was fenced \(reboot\) by B \(Pacemaker/);
});

test('a fence command ends nobody who is only missing', async (t) => {
  const { a, b, directory } = sharedSite(t, 'barrier = 7');
  const ran = path.join(directory, 'ran');
  mkdirSync(b.path('/usr'), { recursive: true });
  b.write('/usr/fence', `#!/bin/sh\necho "$1" >>'${ran}'\n`);
  chmodSync(b.path('/usr/fence'), 0o755);
  b.write(
    '/etc/nlm-failover.toml',
    `${b.read('/etc/nlm-failover.toml')}\n[fencing]\ncommand = ["/usr/fence", "{node}"]\n`,
  );
  const missing = await b.here(['takeover', address, ...quick]);
  t.is(missing.exitCode, 5, missing.stdout + missing.stderr);
  t.regex(missing.stdout, /NOTE: node A has not answered within 7 s/);
  t.is((await b.here(['release', address])).exitCode, 0);
  t.false(existsSync(ran));
  // Whoever has an address and does not give it up is another matter.
  t.is((await a.here(['takeover', other, ...quick])).exitCode, 5);
  const taken = await b.here(['takeover', other, ...quick]);
  t.is(taken.exitCode, 0, taken.stdout + taken.stderr);
  t.is(readFileSync(ran, 'utf8'), 'A\n');
  rmSync(ran);
});
