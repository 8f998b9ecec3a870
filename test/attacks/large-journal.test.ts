// A journal that somebody has made larger than any disk, as statd's user may: a hole of 1 TB held up every node until the watchdog
// killed the command, and each node began anew.
import { mkdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openDatabase } from '../../src/record/database/database.js';
import { foldJournals } from '../../src/record/journal/fold.js';
import { formatLine } from '../../src/record/journal/journal.js';
import { runHere } from '../fault/site.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';
import { addClient } from '../helpers/rehearsal-steps.js';
import { event, makeSite, servingSession, type Site } from '../record/helpers/site.js';

const terabyte = 2 ** 40;
/** It is bytes that are folded in pieces: as long a name as there is makes as many of fewer lines. */
const again = 'again'.padEnd(255, '.example');

async function makeServed(t: ExecutionContext): Promise<Site> {
  const site = makeSite(t);
  await site.serve(site.open());
  site.append('A', event('add-client', 'before'), event('add-client', 'gone'));
  return site;
}

const journal = (site: Site) => join(site.directory, 'journal.A');

test('a hole of 1 TB: what is before and behind it counts, once, and what it is, is said', async (t) => {
  const site = await makeServed(t);
  truncateSync(journal(site), terabyte);
  site.append('A', event('add-client', 'behind'), event('del-client', 'gone'));
  const record = site.open();
  t.is(record.fold().journals[0]?.events, 4);
  t.deepEqual(record.clientNames(), ['before', 'behind']);
  const said = record
    .badLines()
    .map(({ text }) => text)
    .join('\n');
  t.regex(
    said,
    /^[0-9]+ zero bytes\n[0-9]+ bytes not read: more than 536870912 were new\n[0-9]+ zero bytes\n/u,
  );
  t.like(record.largeJournals(), [{ path: journal(site), bytes: statSync(journal(site)).size }]);

  t.deepEqual(record.fold(), { journals: [] });
  site.append('A', event('del-client', 'behind'));
  t.deepEqual(record.fold(), { journals: [{ node: 'A', events: 1, bad: 0 }] });
  t.deepEqual(record.clientNames(), ['before']);
});

test('a hole at the end: what is written behind it later counts, and nothing is read twice', async (t) => {
  const site = await makeServed(t);
  truncateSync(journal(site), terabyte);
  const record = site.open();
  t.is(record.fold().journals[0]?.events, 2);
  t.deepEqual(record.fold(), { journals: [] });
  site.append('A', event('del-client', 'gone'), event('add-client', 'behind'));
  t.deepEqual(record.fold(), { journals: [{ node: 'A', events: 2, bad: 0 }] });
  t.deepEqual(record.clientNames(), ['before', 'behind']);
});

test('holes between lines, none of them large: every line counts', async (t) => {
  const site = await makeServed(t);
  const record = site.open();
  for (const [index, size] of [3 << 20, (9 << 20) + 77, 40 << 20].entries()) {
    truncateSync(journal(site), size);
    site.append('A', event('add-client', `island${index}`));
  }
  record.fold();
  t.deepEqual(record.clientNames(), ['before', 'gone', 'island0', 'island1', 'island2']);
  t.deepEqual(record.largeJournals(), []);
});

test('a rebuild reads no more of it either', async (t) => {
  const site = await makeServed(t);
  truncateSync(journal(site), terabyte);
  site.append('A', event('add-client', 'behind'));
  t.deepEqual(
    site.rebuilt().map(({ client }) => client),
    ['before', 'behind', 'gone'],
  );
});

test('many lines are folded in pieces: what was done stays done when something goes wrong later', async (t) => {
  const site = await makeServed(t);
  const line = formatLine(event('add-client', again));
  site.append(
    'A',
    line.repeat(Math.ceil((20 << 20) / line.length)),
    event('add-client', 'poison'),
    event('add-client', 'last'),
  );
  const db = openDatabase(join(site.directory, 'monitors.db'));
  t.teardown(() => db.close());
  db.exec(
    `CREATE TRIGGER stop BEFORE INSERT ON clients WHEN NEW.client = 'poison' BEGIN SELECT RAISE(ABORT, 'stop'); END`,
  );
  t.throws(() => foldJournals(db, site.directory), { any: true, message: 'stop' });
  const readTo = db.prepare<[], number>('SELECT read_to FROM journals').pluck().get() ?? 0;
  t.true(readTo >= 16 << 20, `${readTo}`);
  db.exec('DROP TRIGGER stop');
  foldJournals(db, site.directory);
  t.deepEqual(site.open().clientNames(), [again, 'before', 'gone', 'last', 'poison']);
});

test('who writes faster than is read does not hold the fold up', async (t) => {
  const site = await makeServed(t);
  const db = openDatabase(join(site.directory, 'monitors.db'));
  t.teardown(() => db.close());
  let written = 0;
  const line = formatLine(event('add-client', again));
  const much = line.repeat(Math.ceil((9 << 20) / line.length));
  site.append('A', much);
  // Each client that is folded brings another one, behind more than is folded in one transaction.
  db.pragma('trusted_schema = ON');
  db.function('write_more', () => {
    if ((written += 1) > 5) throw new Error('it never ends');
    site.append('A', much, event('add-client', `w${written}`));
    return null;
  });
  db.exec('CREATE TRIGGER more AFTER INSERT ON clients BEGIN SELECT write_more(); END');
  foldJournals(db, site.directory);
  t.is(written, 3);
  db.exec('DROP TRIGGER more');
  foldJournals(db, site.directory);
  t.deepEqual(site.open().clientNames(), [again, 'before', 'gone', 'w1', 'w2', 'w3']);
});

test('a takeover goes on, names the journal, and so does status', async (t) => {
  t.timeout(120_000);
  const address = '127.77.15.1';
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/shared_storage' });
  t.teardown(() => site.remove());
  mkdirSync(join(site.directory, 'storage'));
  for (const node of [site.a, site.b]) node.link('/shared_storage', join(site.directory, 'storage'));
  t.is((await runHere(site.directory, 'A', ['takeover', address])).exitCode, 0);
  addClient(site.a, '127.77.15.21');
  truncateSync(join(site.directory, 'storage', `sm_${address}`, 'journal.A'), terabyte);
  addClient(site.a, '127.77.15.22');
  const taken = await runHere(site.directory, 'B', [
    'takeover',
    address,
    '--fenced',
    '--no-wait',
    '--notify-deadline',
    '1',
  ]);
  t.is(taken.exitCode, 5, taken.output);
  t.regex(taken.output, /"B-1".*journal\.A has 1024\.0 GiB/u);
  t.regex(taken.output, /"clients":\{"notified":0,"notNotified":2\}/u);
  const status = await runHere(site.directory, 'B', ['status']);
  t.is(status.exitCode, 0, status.output);
  t.regex(status.output, /"remarks":\["[^"]*journal\.A has 1024\.0 GiB/u);
});

test("millions of lines that are none, and a line of thousands of file systems, as statd's user may write them: the record stays small", async (t) => {
  const site = await makeServed(t);
  const { now, bootId } = servingSession(site.directory);
  const fsids = Array.from({ length: 20_000 }, (_, index) => String(index));
  site.append('A', '\n'.repeat(1 << 20), {
    kind: 'serving',
    uptime: 2,
    node: 'A',
    epoch: 1,
    wall: now,
    bootId,
    fsids,
  });
  for (let index = 0; index < 500; index += 1) site.append('A', event('add-client', `c${index}`));
  const record = site.open();
  record.fold();
  t.is(record.badLines().length, 1000);
  t.is(record.clientCount(), 502);
  const size = () => statSync(join(site.directory, 'monitors.db')).size;
  t.true(size() < 4 << 20, `${size()}`);
  record.close();
  t.is(site.rebuild({ force: true }).clients, 502);
  t.true(size() < 4 << 20, `${size()}`);
});
