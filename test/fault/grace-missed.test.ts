// A grace that is over before anybody could be told, as when B-5 or B-4 had to wait for something: it is entered again.
import { existsSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { startLoopbackClient } from '../demo/loopback-client.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';
import { addClient, jsonLines } from '../helpers/rehearsal-steps.js';
import { waitFor } from '../wire/wait-for.js';
import { copySite, removeSite } from './site.js';
import { runStruck, startStruck } from './strike.js';

const address = '127.77.9.1';

test('the grace ends while B-4 is under way: nobody is told before there is another', async (t) => {
  t.timeout(120_000);
  const told: string[] = [];
  const client = await startLoopbackClient('127.77.9.21', 0, (monName) => told.push(monName));
  const site = makeRehearsal({ address, rpcbindPort: client.port });
  const { a, b, directory } = site;
  const copy = { directory: '' };
  t.teardown(() => {
    client.close();
    site.remove();
    if (copy.directory !== '') removeSite(copy.directory);
  });
  t.is((await a.tool(['takeover', address, '--no-wait'])).exitCode, 0);
  addClient(a, client.address);
  t.is((await a.tool(['release', address])).exitCode, 0);

  copy.directory = copySite(directory);
  const takeover = ['takeover', address, '--no-wait'];
  const { effects } = await runStruck(copy.directory, 'B', takeover, {});
  const strike = effects.find(({ what }) => what.endsWith('/addresses.json'))?.number ?? 0;
  t.true(strike > 0, 'B-4 has an effect');
  told.length = 0;

  const marker = path.join(directory, 'stopped');
  const stopped = startStruck(directory, 'B', takeover, { how: 'stop', side: 'after', strike, marker });
  let isOver = false;
  void stopped.ended.then(() => (isOver = true));
  try {
    await waitFor('the stop', async () => isOver || existsSync(marker));
    t.is(b.read('/proc/fs/lockd/nlm_end_grace'), 'N\n');
    b.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
    t.deepEqual(told, []);
    process.kill(stopped.pid, 'SIGCONT');
    const { exitCode, stdout, stderr } = await stopped.ended;
    t.is(exitCode, 0, stderr);
    const lines = jsonLines(stdout);
    t.is(
      lines
        .slice(0, -1)
        .map(({ step, state }) => `${step} ${state}`)
        .join(', '),
      'B-1 done, B-2 done, B-5 done, B-4 done, B-2 done, B-5 skipped, B-4 skipped, B-3 done',
    );
    t.deepEqual(lines.at(-1)?.clients, { told: 1, untold: 0 });
    t.regex(stdout, /the grace period had ended before anybody could be told, so it was entered again/);
    t.is(b.read('/proc/fs/lockd/nlm_end_grace'), 'N\n', 'told within a grace');
    t.true(told.length > 0);
  } finally {
    if (!isOver) process.kill(stopped.pid, 'SIGKILL');
    await stopped.ended;
  }
});
