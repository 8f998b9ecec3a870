// A grace that is over before anybody could be notified, as when B-5 or B-4 had to wait for something: it is entered again.
import test from 'ava';
import { startLoopbackClient } from '../demo/loopback-client.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';
import { addClient, jsonLines } from '../helpers/rehearsal-steps.js';
import { copySite, removeSite } from './site.js';
import { runStopped, runStruck } from './strike.js';

const address = '127.77.9.1';

test('the grace ends while B-4 is under way: nobody is notified before there is another', async (t) => {
  t.timeout(120_000);
  const notified: string[] = [];
  const client = await startLoopbackClient('127.77.9.21', 0, (monName) => notified.push(monName));
  const site = makeRehearsal({ address, rpcbindPort: client.port });
  const { a, b, directory } = site;
  t.teardown(() => {
    client.close();
    site.remove();
  });
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  addClient(a, client.address);
  t.is((await a.here(['release', address])).exitCode, 0);

  const copy = copySite(directory);
  t.teardown(() => removeSite(copy));
  const takeover = ['takeover', address, '--no-wait'];
  const { effects } = await runStruck(copy, 'B', takeover, {});
  const strike = effects.find(({ what }) => what.endsWith('/addresses.json'))?.number ?? 0;
  t.true(strike > 0, 'B-4 has an effect');
  notified.length = 0;

  const { exitCode, stdout, stderr } = await runStopped(directory, 'B', takeover, strike, async () => {
    t.is(b.read('/proc/fs/lockd/nlm_end_grace'), 'N\n');
    b.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
    t.deepEqual(notified, []);
  });
  t.is(exitCode, 0, stderr);
  const lines = jsonLines(stdout);
  t.is(
    lines
      .slice(0, -1)
      .map(({ step, state }) => `${step} ${state}`)
      .join(', '),
    'B-1 done, B-2 done, B-5 done, B-4 done, B-2 done, B-5 skipped, B-4 skipped, B-3 done',
  );
  t.deepEqual(lines.at(-1)?.clients, { notified: 1, notNotified: 0 });
  t.regex(stdout, /the grace period had ended before anybody could be notified, so it was entered again/);
  t.is(b.read('/proc/fs/lockd/nlm_end_grace'), 'N\n', 'notified within a grace');
  t.true(notified.length > 0);
});
