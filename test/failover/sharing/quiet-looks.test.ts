// What the looks of a watcher cost where nobody calls, and where a call stands that it has answered: they come every second, for ever.
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { joinCalls, Watched } from '../../../src/failover/sharing/join-calls.js';
import { QuietRecords } from '../../../src/failover/sharing/quiet-records.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { drivers } from '../../../src/lockmanager/drivers.js';
import { rehearsalContext } from '../../helpers/rehearsal-context.js';
import { sharedSite } from '../../helpers/shared-site.js';

const call = { id: '6f1c0b62-7d5e-4c9a-9f0e-3a1de0d7f6aa', round: 1, by: 'A', epoch: 1, dead: [] };

/** B's looks one after another, with the same memory; each with the commands that it ran, and what was wrong. */
async function lookingOnB(t: ExecutionContext) {
  const { b, record } = sharedSite(t);
  mkdirSync(record, { mode: 0o711 });
  const host = rehearsalHost(b.root);
  const ran: string[] = [];
  const context = await rehearsalContext(b, {
    host: {
      ...host,
      run: (argv, options) => {
        ran.push(argv.join(' '));
        return host.run(argv, options);
      },
    },
  });
  const watched = new Watched();
  return {
    b,
    record,
    look: async () => {
      ran.length = 0;
      const { joined, failures } = await joinCalls({ ...context, drivers, callout: '/ha-callout' }, watched);
      return {
        states: joined.map(({ state }) => state),
        wrong: failures.map(({ code }) => code),
        ran: [...ran],
      };
    },
  };
}

test('a record in which nobody calls is not opened at each look; a call is seen at the next one', async (t) => {
  const { record, look } = await lookingOnB(t);
  t.deepEqual(await look(), { states: [], wrong: [], ran: [] });
  // What opens it says so.
  chmodSync(record, 0o777);
  t.deepEqual((await look()).wrong, []);
  writeFileSync(path.join(record, 'barrier'), JSON.stringify(call));
  t.deepEqual((await look()).wrong, ['RECORD_UNSAFE']);
  rmSync(path.join(record, 'barrier'));
  t.deepEqual((await look()).wrong, ['RECORD_UNSAFE'], 'and it is said as long as it is so');
  chmodSync(record, 0o711);
  writeFileSync(path.join(record, 'barrier'), JSON.stringify(call));
  t.deepEqual((await look()).states, ['joined']);
});

test('it is opened again after a while, and where its name cannot be looked at', (t) => {
  const quiet = new QuietRecords();
  const directory = path.join(import.meta.dirname, 'no such record');
  t.false(quiet.has(directory, 0), 'it was never opened');
  quiet.saw(directory, true, 0);
  t.true(quiet.has(directory, 2999));
  t.false(quiet.has(directory, 3000));
  const unnameable = 'a'.repeat(300);
  quiet.saw(unnameable, true, 0);
  t.false(quiet.has(unnameable, 1));
});

test('a call that stands, and is answered, costs no command at each look', async (t) => {
  const { record, look } = await lookingOnB(t);
  writeFileSync(path.join(record, 'barrier'), JSON.stringify({ ...call, stands: true }));
  const first = await look();
  t.deepEqual(first.states, ['joined']);
  t.true(
    first.ran.some((command) => command.includes('grace')),
    first.ran.join('\n'),
  );
  t.deepEqual(await look(), { states: [], wrong: [], ran: [] });
});
