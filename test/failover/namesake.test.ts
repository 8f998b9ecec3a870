// Who a node is: its name and its machine. Two nodes that both call themselves "nfs" would else take over from each other without
// fencing, with one file system mounted on both.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { makeRehearsal, type RehearsalSite } from '../helpers/rehearsal-site.js';
import { runHere } from '../fault/site.js';

const address = '127.77.13.1';
const shared = '/shared_storage';

/** Both nodes are called so; the record is on storage that both see. */
function makeSite(t: ExecutionContext, name: string): RehearsalSite {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: shared });
  t.teardown(() => site.remove());
  const state = path.join(site.directory, 'storage');
  mkdirSync(state);
  for (const node of [site.a, site.b]) {
    node.link(shared, state);
    node.write(
      '/etc/nlm-failover.toml',
      node.read('/etc/nlm-failover.toml').replace(/^node = .*/u, `node = "${name}"`),
    );
  }
  return site;
}

const takeover = ['takeover', address, '--no-wait'];
const mounts = (site: RehearsalSite) =>
  [site.a, site.b].map((node) => node.read('/proc/self/mountinfo').trim().split('\n').filter(Boolean).length);

test('the other machine of that name is refused, until it has released or is fenced', async (t) => {
  const site = makeSite(t, 'nfs');
  const taken = await runHere(site.directory, 'A', takeover);
  t.is(taken.exitCode, 0, taken.output);

  const refused = await runHere(site.directory, 'B', takeover);
  t.is(refused.exitCode, 4, refused.output);
  t.regex(refused.output, /NOT_RELEASED.*another machine that is called nfs too owns the address/u);
  t.regex(refused.output, /Give each node a name of its own/u);
  t.deepEqual(mounts(site), [1, 0]);
  const released = await runHere(site.directory, 'B', ['release', address]);
  t.is(released.exitCode, 4, released.output);

  const status = await site.b.here(['status', address]);
  t.regex(status.stdout, /owner +nfs \(ANOTHER MACHINE of this name\), epoch 1/u);
  t.notRegex((await site.a.here(['status', address])).stdout, /ANOTHER/u);
  // The same again where it is served: nothing of this is in its way.
  t.is((await runHere(site.directory, 'A', takeover)).exitCode, 0);

  t.is((await runHere(site.directory, 'A', ['release', address])).exitCode, 0);
  t.is((await runHere(site.directory, 'B', takeover)).exitCode, 0);
  t.deepEqual(mounts(site), [0, 1]);
  const back = await runHere(site.directory, 'A', [...takeover, '--fenced']);
  t.is(back.exitCode, 0, back.output);
  t.is((await runHere(site.directory, 'B', ['release', address])).exitCode, 4);
});

for (const [what, id] of [
  ['empty', ''],
  ['"uninitialized"', 'uninitialized\n'],
  ['not an id', '0123\n'],
  ['not an id', `${'0'.repeat(32)}\n`],
  ['not an id', 'DEADBEEFDEADBEEFDEADBEEFDEADBEEF\n'],
] as const) {
  test(`a machine-id that is ${what} (${JSON.stringify(id)}): nothing is claimed, let go or touched, and status still answers`, async (t) => {
    const site = makeSite(t, 'nfs');
    const own = site.a.read('/etc/machine-id');
    site.a.write('/etc/machine-id', id);
    const first = await runHere(site.directory, 'A', takeover);
    t.is(first.exitCode, 3, first.output);
    t.regex(
      first.output,
      new RegExp(`NO_MACHINE_ID.*/etc/machine-id (is|says) ${what.replaceAll('"', '.*')}`, 'u'),
    );
    t.deepEqual(mounts(site), [0, 0]);

    site.a.write('/etc/machine-id', own);
    t.is((await runHere(site.directory, 'A', takeover)).exitCode, 0);
    site.a.write('/etc/machine-id', id);
    const lost = await runHere(site.directory, 'A', ['release', address]);
    t.is(lost.exitCode, 3, lost.output);
    t.deepEqual(mounts(site), [1, 0]);
    const status = await site.a.here(['status', address]);
    t.is(status.exitCode, 1, 'it cannot tell that the address is its own');
    t.regex(status.stdout, /served here\n +owner +NOT THIS NODE: nfs/u);
    site.a.write('/etc/machine-id', own);
    t.is((await runHere(site.directory, 'A', ['release', address])).exitCode, 0);
  });
}

test('the id itself is not in the record', async (t) => {
  const site = makeSite(t, 'nfs');
  t.is((await runHere(site.directory, 'A', takeover)).exitCode, 0);
  const database = site.a.read(`${shared}/sm_${address}/monitors.db`);
  t.false(database.includes(site.a.read('/etc/machine-id').trim()));
});

for (const name of ['localhost', 'LocalHost', 'localhost.localdomain', 'localhost6'])
  test(`${name} is no name of a node`, async (t) => {
    const site = makeSite(t, name);
    const { exitCode, output } = await runHere(site.directory, 'A', takeover);
    t.is(exitCode, 3, output);
    t.regex(output, /every host is \\"localhost\\" to itself/u);
  });
