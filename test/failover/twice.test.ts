// The same command again, on the node where it was done: nothing changes, nobody is disturbed, exit code 0; what has gone since comes back.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startLoopbackClient } from '../demo/loopback-client.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { addClient, jsonLines } from '../helpers/rehearsal-steps.js';

const address = '127.77.15.1';
let nextClient = 20;

async function fixture(t: ExecutionContext, stateDirectory?: string) {
  nextClient += 1;
  let notified = 0;
  const client = await startLoopbackClient(`127.77.15.${nextClient}`, 0, () => (notified += 1));
  const site = makeRehearsal({
    address,
    rpcbindPort: client.port,
    fsids: [1234, 5678],
    ...(stateDirectory === undefined ? {} : { stateDirectory }),
  });
  t.teardown(() => {
    client.close();
    site.remove();
  });
  if (stateDirectory !== undefined) {
    mkdirSync(path.join(site.directory, stateDirectory));
    for (const node of [site.a, site.b]) node.link(stateDirectory, path.join(site.directory, stateDirectory));
  }
  return { ...site, client, notified: () => notified };
}

async function run(node: RehearsalNode, ...args: string[]) {
  const result = await node.here([...args, '--json']);
  return { ...result, lines: jsonLines(result.stdout) };
}

/** The steps that changed something. */
function changed({ lines }: { readonly lines: ReturnType<typeof jsonLines> }): (string | undefined)[] {
  return lines.filter(({ state }) => state === 'done').map(({ step }) => step);
}

function assertUnchanged(t: ExecutionContext, result: Awaited<ReturnType<typeof run>>, what: string): void {
  t.is(result.exitCode, 0, `${what}: ${result.stderr}`);
  t.deepEqual(changed(result), [], what);
  const steps = result.lines.filter(({ step }) => step !== undefined);
  t.true(steps.length > 0, what);
  for (const { step, detail } of steps) t.regex(detail ?? '', /: unchanged/, `${what} ${step}`);
}

/** As long after a takeover: lockd's grace is over. */
function graceOver(node: RehearsalNode): void {
  node.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
}

const places = [
  [undefined, 'on the volume'],
  ['/shared_storage', 'on shared storage'],
] as const;

for (const [stateDirectory, where] of places) {
  test(`takeover on the healthy owner changes nothing, the record ${where}`, async (t) => {
    const { a, b, client, notified } = await fixture(t, stateDirectory);
    t.is((await run(a, 'takeover', address)).exitCode, 0);
    // Nobody was there to be notified, and since then one has come.
    addClient(a, client.address);
    graceOver(a);
    assertUnchanged(t, await run(a, 'takeover', address), 'first takeover, without clients');
    t.is(a.read('/proc/fs/lockd/nlm_end_grace'), 'Y\n', 'no new grace');
    assertUnchanged(t, await run(a, 'takeover', address, '--fenced'), 'fenced');
    t.is(notified(), 0);

    t.is((await run(a, 'release', address)).exitCode, 0);
    t.is((await run(b, 'takeover', address)).exitCode, 0);
    const before = notified();
    t.true(before > 0);
    assertUnchanged(t, await run(b, 'takeover', address), 'in grace');
    graceOver(b);
    assertUnchanged(t, await run(b, 'takeover', address), 'after the grace');
    t.is(notified(), before, 'nobody is notified twice');
  });

  test(`release where it was released changes nothing, the record ${where}`, async (t) => {
    const { a, b } = await fixture(t, stateDirectory);
    await run(a, 'takeover', address);
    t.is((await run(a, 'release', address)).exitCode, 0);
    assertUnchanged(t, await run(a, 'release', address), 'again');
    assertUnchanged(t, await run(b, 'release', address), 'on a node that never had it');
    await run(b, 'takeover', address);
    assertUnchanged(t, await run(a, 'release', address), 'after another node has taken it over');
    t.is((await run(b, 'status', address)).exitCode, 0);
    // What is still here of it is another matter: this node may not touch it any more.
    a.write('/addresses.json', b.read('/addresses.json'));
    t.is((await run(a, 'release', address)).exitCode, stateDirectory === undefined ? 0 : 4);
  });
}

test('what has gone on the owner comes back alone', async (t) => {
  const { a, client, notified } = await fixture(t);
  await run(a, 'takeover', address);
  addClient(a, client.address);
  graceOver(a);
  a.write('/addresses.json', '[]');
  t.deepEqual(changed(await run(a, 'takeover', address)), ['B-4']);
  a.write('/var/lib/nfs/etab', '');
  t.deepEqual(changed(await run(a, 'takeover', address)), ['B-5']);
  t.is(a.read('/proc/fs/lockd/nlm_end_grace'), 'Y\n');
  t.is(notified(), 0);
  // A lock manager that has ended took the locks with it: they need a grace, and whoever held them must be notified.
  a.write('/proc/fs/nfsd/threads', '0\n');
  t.deepEqual(changed(await run(a, 'takeover', address, '--no-wait')), ['B-2', 'B-3']);
  t.is(a.read('/proc/fs/lockd/nlm_end_grace'), 'N\n');
  t.true(notified() > 0);
});

test('nlm-fsid: twice is once', async (t) => {
  const { a, client } = await fixture(t);
  for (const file of ['nlm_unlock', 'nlm_set_ip_grace']) a.write(`/proc/fs/nfsd/${file}`, '');
  a.write('/proc/fs/nfsd/threads', '8\n');
  await run(a, 'takeover', address);
  addClient(a, client.address);
  assertUnchanged(t, await run(a, 'takeover', address), 'takeover');
  t.is(a.read('/proc/fs/nfsd/nlm_set_ip_grace'), '1234\n5678\n');
  t.is((await run(a, 'release', address)).exitCode, 0);
  assertUnchanged(t, await run(a, 'release', address), 'release');
  t.is(a.read('/proc/fs/nfsd/nlm_unlock'), '1234\n5678\n');
});
