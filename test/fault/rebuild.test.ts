// nlm-failover rebuild, the real command, killed or failing before and after its effects, as test/fault/preload sees them
// happen; then the way on: rebuild again where there is no record yet, and takeover --fenced. Nobody is missing.
// Here a sample; every point: NLM_FULL=1 npx ava --timeout=1h build/test/fault/rebuild.test.js
import { mkdirSync, truncateSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { makeRehearsal } from '../helpers/rehearsal-site.js';
import { addClient } from '../helpers/rehearsal-steps.js';
import { strikes } from './fault.js';
import { copySite, removeSite, runHere } from './site.js';
import { runStruck } from './strike.js';

const full = process.env['NLM_FULL'] === '1';
const address = '127.77.16.1';

test('rebuild, struck at its effects: the way on ends with everybody in the record', async (t) => {
  t.timeout(3_600_000);
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/shared_storage' });
  t.teardown(() => site.remove());
  const storage = path.join(site.directory, 'storage');
  mkdirSync(storage);
  for (const node of [site.a, site.b]) node.link('/shared_storage', storage);
  const taken = await runHere(site.directory, 'A', ['takeover', address, '--no-wait']);
  t.is(taken.exitCode, 0, taken.output);
  for (const client of ['127.77.16.21', '127.77.16.22']) addClient(site.a, client);
  truncateSync(path.join(storage, `sm_${address}`, 'monitors.db'), 5000);
  const whole = copySite(site.directory);
  const { exitCode, effects, stderr } = await runStruck(whole, 'B', ['rebuild', address], {});
  removeSite(whole);
  t.is(exitCode, 0, stderr);
  t.true(effects.some(({ kind }) => kind === 'renameSync') && effects.some(({ kind }) => kind === 'COMMIT'));
  let struck = 0;
  for (const { number, kind, what } of effects) {
    for (const [index, fault] of strikes.entries()) {
      if (!full && (number + index * 5) % 13 !== 0) continue;
      const where = `${fault.how} ${fault.side} ${number} (${kind} ${what})`;
      const copy = copySite(site.directory);
      try {
        const ended = await runStruck(copy, 'B', ['rebuild', address], { ...fault, strike: number });
        if (fault.how === 'kill') t.is(ended.signal, 'SIGKILL', where);
        else {
          t.notRegex(ended.stderr, /unexpected error/, where);
          if (ended.exitCode !== 0) t.regex(ended.stderr, /^nlm-failover: .+\n {2}.+\n$/, where);
        }
        const again = await runHere(copy, 'B', ['rebuild', address]);
        t.true(again.exitCode === 0 || again.output.includes('RECORD_SOUND'), `${where}: ${again.output}`);
        const clients = await runHere(copy, 'B', ['clients', address]);
        t.is(clients.output.trimEnd().split('\n').length, 2, `${where}: ${clients.output}`);
        const refused = await runHere(copy, 'B', ['takeover', address, '--no-wait']);
        t.is(refused.exitCode, 4, `${where}: ${refused.output}`);
        struck += 1;
      } finally {
        removeSite(copy);
      }
    }
  }
  t.true(struck > 3);
  t.log(`${struck} strikes at ${effects.length} effects, nobody missing`);
});
