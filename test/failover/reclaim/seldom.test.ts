// How often a takeover looks whether the clients are back, where a look is dear and little can be seen.
import test from 'ava';
import type { FailoverContext } from '../../../src/failover/context.js';
import { watchReclaims } from '../../../src/failover/reclaim/reclaim-watch.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { drivers } from '../../../src/lockmanager/drivers.js';
import { openRecord } from '../../../src/record/record.js';
import { rehearsalContext } from '../../helpers/rehearsal-context.js';
import { addClient } from '../../helpers/rehearsal-steps.js';
import { address, sharedSite } from '../../helpers/shared-site.js';

test('seldom where no lock can be seen and nobody can end the grace, else often', async (t) => {
  const { a, record: directory } = sharedSite(t, 'barrier = 1');
  const quick = ['--no-wait', '--notify-deadline', '1'];
  await a.here(['takeover', address, ...quick]);
  addClient(a, '127.78.1.98');
  await a.here(['release', address]);
  await a.here(['takeover', address, ...quick]);
  // Notified, and not back.
  const record = openRecord({ directory, node: 'A', create: true });
  record.markNotified(record.toNotify(), Date.now());
  record.close();
  const waits = async (over: Partial<FailoverContext['driver']>): Promise<number[]> => {
    const seen: number[] = [];
    const stop = new AbortController();
    const host = {
      ...rehearsalHost(a.root),
      delay: async (ms: number) => {
        seen.push(ms);
        stop.abort();
        throw new Error('enough');
      },
    };
    const context = await rehearsalContext(a, { host, signal: stop.signal }, (site) => {
      const made = drivers.find(({ name }) => name === 'ganesha')?.make(site);
      if (made === undefined) throw new Error('no such driver');
      return { ...made, inGrace: async () => true, ...over };
    });
    t.deepEqual(await watchReclaims(context, () => undefined), { looked: undefined });
    return seen;
  };
  const [seldom = 0] = await waits({});
  const [often = 0] = await waits({
    endGrace: () => {
      throw new Error('it is not over yet');
    },
  });
  t.true(seldom >= 3000, String(seldom));
  t.true(often < 3000, String(often));
});
