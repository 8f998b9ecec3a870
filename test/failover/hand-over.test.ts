// release --steps without A-4, where something else unmounts: the address is handed over only where nothing of it is up here.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runHere } from '../fault/site.js';
import { makeRehearsal, type RehearsalSite } from '../helpers/rehearsal-site.js';

const address = '127.77.16.1';

async function served(t: ExecutionContext): Promise<RehearsalSite> {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/shared_storage' });
  t.teardown(() => site.remove());
  const shared = path.join(site.directory, 'shared_storage');
  mkdirSync(shared);
  for (const node of [site.a, site.b]) node.link('/shared_storage', shared);
  const taken = await runHere(site.directory, 'A', ['takeover', address, '--no-wait']);
  t.is(taken.exitCode, 0, taken.output);
  return site;
}

/** Does these steps on A, and says whether B may have the address then. */
async function isHandedOver(t: ExecutionContext, site: RehearsalSite, steps: string): Promise<boolean> {
  const { exitCode, output } = await runHere(site.directory, 'A', ['release', address, '--steps', steps]);
  t.is(exitCode, 0, output);
  const taken = await runHere(site.directory, 'B', ['takeover', address, '--no-wait', '--steps', 'B-1']);
  if (steps.includes('A-3'))
    t.is(taken.exitCode === 0, !output.includes('is not handed over'), `${output}${taken.output}`);
  if (taken.exitCode !== 0) t.regex(taken.output, /"NOT_RELEASED"/);
  return taken.exitCode === 0;
}

test('not by a healthy owner, which only drops its locks', async (t) => {
  const site = await served(t);
  t.false(await isHandedOver(t, site, 'A-3'));
  const { output } = await runHere(site.directory, 'A', ['status', address]);
  t.regex(output, /"released":false/);
});

test('not while it is exported', async (t) => {
  t.false(await isHandedOver(t, await served(t), 'A-1,A-3'));
});

test('not while the address is up, or it is recorded here', async (t) => {
  const site = await served(t);
  t.false(await isHandedOver(t, site, 'A-2,A-3'));
  // Somebody has taken the address down, and the callout goes on recording.
  site.a.write('/addresses.json', '[]');
  t.false(await isHandedOver(t, site, 'A-3'));
});

test('once all of that is gone, in one command or one after another', async (t) => {
  t.true(await isHandedOver(t, await served(t), 'A-1,A-2,A-3'));
  const site = await served(t);
  t.false(await isHandedOver(t, site, 'A-1,A-3'));
  t.false(await isHandedOver(t, site, 'A-2'));
  t.true(await isHandedOver(t, site, 'A-3'));
});

test('takeover --await-release begins when the other node has released it, and is refused where it has not', async (t) => {
  const site = await served(t);
  // In a process of its own, beside the other node's.
  const wait = (seconds: string) =>
    site.b.tool(['takeover', address, '--no-wait', '--await-release', seconds]);
  const refused = await wait('1');
  t.is(refused.exitCode, 4, refused.stdout + refused.stderr);
  t.regex(refused.stderr, /node A owns the address \(epoch 1\) and has not released it/);
  const waiting = wait('100');
  const { exitCode, output } = await runHere(site.directory, 'A', ['release', address]);
  t.is(exitCode, 0, output);
  const taken = await waiting;
  t.is(taken.exitCode, 0, taken.stdout + taken.stderr);
});
