// An address whose record the release of another one has frozen, until the clients of both are notified.
import path from 'node:path';
import test from 'ava';
import { lockOperation } from '../../../src/rundir/operation-lock.js';
import { address, other, sharedSite } from '../../helpers/shared-site.js';

test('is well while that release goes on, and no longer', async (t) => {
  const { a } = sharedSite(t, 'barrier = 1');
  await a.tool(['takeover', other, '--no-wait', '--notify-deadline', '1']);
  t.is((await a.tool(['release', '--freeze', other])).exitCode, 0);
  const frozen = async () => (await a.tool(['status', other])).stdout.includes('nobody leaves its record');
  t.true(await frozen());
  const releasing = lockOperation(path.join(a.root, 'run/nlm-failover'), address, 'release');
  t.false(await frozen());
  releasing.release();
  t.true(await frozen());
});
