// Whoever can write monitors.db-journal (a client that is root without squash) names a file of root's in it as the
// super-journal: SQLite would delete it.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runHere } from '../fault/site.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';
import { makeSite } from '../record/helpers/site.js';
import { plantSuperJournal } from './super-journal.js';

const address = '127.77.31.1';
const commands: readonly (readonly [node: 'A' | 'B', ...args: string[]])[] = [
  ['A', 'status'],
  ['A', 'clients'],
  ['A', 'audit', address],
  ['A', 'notify', address],
  ['A', 'rebuild', address],
  ['A', 'rebuild', '--force', address],
  ['A', 'release', address],
  ['A', 'takeover', '--no-wait', address],
  ['B', 'status'],
  ['B', 'takeover', '--no-wait', '--fenced', address],
];

for (const [node, ...args] of commands) {
  test(`${args.join(' ')} on ${node} deletes nothing that a rollback journal names`, async (t) => {
    const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/state' });
    t.teardown(() => site.remove());
    const state = path.join(site.directory, 'state');
    mkdirSync(state);
    for (const one of [site.a, site.b]) one.link('/state', state);
    const taken = await runHere(site.directory, 'A', ['takeover', '--no-wait', address]);
    t.is(taken.exitCode, 0, taken.output);
    const victim = path.join(site.directory, 'shadow');
    writeFileSync(victim, 'root:secret\n', { mode: 0o600 });
    const database = path.join(state, `sm_${address}`, 'monitors.db');
    plantSuperJournal(database, victim);

    const { exitCode, output } = await runHere(site.directory, node, args);
    t.true(existsSync(victim), output);
    t.not(exitCode, 0, output);
    t.regex(output, /"code":"RECORD_UNSAFE"/);
    t.regex(output, /names another file, which SQLite would delete/);
    // Once it is moved away, all is as it was.
    rmSync(`${database}-journal`);
    const after = await runHere(site.directory, 'A', ['status']);
    t.is(after.exitCode, 0, after.output);
  });
}

test('nor where it is planted while a command has the record open', (t) => {
  const { site, record, victim } = opened(t);
  plantSuperJournal(path.join(site.directory, 'monitors.db'), victim);
  t.throws(() => record.clients(), { code: 'RECORD_UNSAFE' });
  t.throws(() => record.claim({ node: 'A', fenced: false, now: 1 }), { code: 'RECORD_UNSAFE' });
  t.true(existsSync(victim));
});

test('whatever name it has: one that is too long, of one byte, relative, not ASCII', (t) => {
  const { site, record } = opened(t);
  record.close();
  const database = path.join(site.directory, 'monitors.db');
  for (const name of [`/${'x'.repeat(5000)}`, '/', 'monitors.db', '\u00ff']) {
    plantSuperJournal(database, name);
    t.throws(() => site.open(), { code: 'RECORD_UNSAFE' }, name.slice(0, 20));
  }
});

function opened(t: ExecutionContext) {
  const site = makeSite(t);
  const record = site.open();
  record.claim({ node: 'A', fenced: false, now: 1 });
  const victim = path.join(site.state, 'shadow');
  writeFileSync(victim, 'x');
  return { site, record, victim };
}
