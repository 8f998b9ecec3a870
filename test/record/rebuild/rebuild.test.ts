// The record made anew from the journals alone: what it keeps, what it presumes, and where it refuses.
import {
  closeSync,
  existsSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import Database from 'better-sqlite3';
import type { FailoverError } from '../../../src/errors.js';
import { openDatabase } from '../../../src/record/database/database.js';
import { exchangeDatabase } from '../../../src/record/rebuild/exchange-database.js';
import { makePresent } from '../../../src/record/rebuild/present-database.js';
import { migrations } from '../../../src/record/database/schema.js';
import { holdRecordDirectory } from '../../../src/record/safe-files/record-directory.js';
import { highestGiven, noteGiven } from '../../../src/record/safe-files/states-given.js';
import { startProcess } from '../helpers/process.js';
import { event, makeSite, type Site, wall } from '../helpers/site.js';

const database = (site: Site) => join(site.directory, 'monitors.db');
const names = (site: Site) => readdirSync(site.directory).toSorted();

/** A had the address in epoch 1, B has it in epoch 2. Each knows somebody whom the other does not. */
async function serveTwice(t: ExecutionContext): Promise<Site> {
  const site = makeSite(t);
  const record = site.open();
  record.claim({ node: 'A', fenced: false, now: wall });
  await site.serve(record, { node: 'A', fsids: ['1', '2'] });
  site.append('A', event('add-client', 'a'), event('add-client', 'gone'));
  record.claim({ node: 'B', fenced: true, now: wall + 1 });
  record.beginGrace({ now: wall + 1 });
  await site.serve(record, { node: 'B', epoch: 2, fsids: ['1', '2'], now: wall + 1000 });
  site.append(
    'B',
    event('add-client', 'b', 1, '2'),
    event('del-client', 'b', 2),
    event('add-client', 'c', 3, '2'),
  );
  site.append('A', event('del-client', 'gone', 9));
  record.fold();
  record.close();
  return site;
}

/** Each: a way in which a database is lost. */
const losses: Record<string, (file: string) => void> = {
  'it is missing': (file) => rmSync(file),
  'it is empty': (file) => truncateSync(file, 0),
  'it is cut': (file) => truncateSync(file, 5000),
  'it is cut between two pages': (file) => truncateSync(file, statSync(file).size - 4096),
  'it is garbage': (file) =>
    writeFileSync(file, 'no database at all, but long enough for a header. '.repeat(99)),
  'a page is garbage': (file) => {
    const fd = openSync(file, 'r+');
    writeSync(fd, Buffer.alloc(4096, 0xa5), 0, 4096, 4096);
    closeSync(fd);
  },
  'its header is garbage': (file) => {
    const fd = openSync(file, 'r+');
    writeSync(fd, Buffer.alloc(100, 0xa5), 0, 100, 0);
    closeSync(fd);
  },
};

for (const [what, lose] of Object.entries(losses)) {
  test(`${what}: no command goes on with it, and rebuild makes it anew`, async (t) => {
    const site = await serveTwice(t);
    lose(database(site));
    const left = existsSync(database(site)) ? readFileSync(database(site)) : undefined;
    for (const open of [() => site.open(), () => site.open('B')]) {
      const error = t.throws<FailoverError>(open);
      t.regex(error.code, /^RECORD_(MISSING|CORRUPT)$/);
      t.is(error.exitCode, 1);
      t.true(error.message.includes(site.directory), error.message);
      t.regex(error.hint ?? '', /^Run "nlm-failover rebuild 10\.10\.1\.1"/);
    }
    const rebuilt = site.rebuild();
    t.like(rebuilt, { clients: 4, owner: 'B', epoch: 2, journals: ['A', 'B'], badLines: 0 });
    t.deepEqual(rebuilt.aside === undefined ? undefined : readFileSync(rebuilt.aside), left);
    t.is(statSync(database(site)).mode & 0o7777, 0o600);
    t.deepEqual(
      names(site).filter((name) => name.startsWith('.')),
      [],
    );
    const record = site.open('B');
    t.deepEqual(record.clientNames(), ['a', 'b', 'c', 'gone']);
    t.deepEqual(record.fold().journals, [], 'everything was read');
    t.deepEqual(
      record.clients().filter(({ client }) => client === 'c'),
      [{ client: 'c', fsid: '2', node: 'B', since: wall + 4000, myName: 'A' }],
    );
  });
}

test('nobody is put on the list of those to notify before the next grace; its state is above all before', async (t) => {
  const site = await serveTwice(t);
  noteGiven(site.directory, 2_000_000_001);
  rmSync(database(site));
  t.is(site.rebuild().nsmState, 2_000_000_001);
  const record = site.open('B');
  // Notified outside of a grace, a client loses the lock that it has.
  t.deepEqual(record.toNotify(), []);
  t.deepEqual(record.notifyCounts(), { notified: 0, notNotified: 0 });
  record.claim({ node: 'B', fenced: true, now: 1 });
  t.is(record.beginGrace({ now: 1 }), 2_000_000_003);
  t.deepEqual(record.toNotify(), ['a', 'b', 'c', 'gone']);
});

test('where nsm-states is lost too and the clock is wrong, the time in the journals is the bound', async (t) => {
  const site = await serveTwice(t);
  rmSync(database(site));
  rmSync(join(site.directory, 'nsm-states'));
  t.is(site.rebuild().nsmState, Math.floor((wall + 1000) / 1000));
  t.true(site.open().beginGrace({ now: 1 }) > (wall + 1000) / 1000);
  t.true(highestGiven(site.directory) > (wall + 1000) / 1000);
});

test('the owner is presumed: it goes on and may release, and no takeover goes without --fenced', async (t) => {
  const site = await serveTwice(t);
  rmSync(database(site));
  site.rebuild();
  const record = site.open('B');
  t.deepEqual(record.ownership(), {
    owner: 'B',
    machine: undefined,
    epoch: 2,
    released: false,
    since: undefined,
  });
  record.assertOwner('B', 2);
  for (const node of ['A', 'B']) {
    const error = t.throws<FailoverError>(() => record.claim({ node, fenced: false, now: wall }), {
      code: 'NOT_RELEASED',
    });
    t.is(error.exitCode, 4);
    t.regex(error.message, /rebuilt from the journals.*node B served the address last/);
    t.regex(error.hint ?? '', /release 10\.10\.1\.1" on B\. .*--fenced/);
  }
  t.is(record.claim({ node: 'A', fenced: true, now: wall }), 3);
  // From here on everything is as ever.
  t.is(record.claim({ node: 'A', fenced: false, now: wall }), 3);
});

test('the owner is presumed, and lets go: then anybody may', async (t) => {
  const site = await serveTwice(t);
  rmSync(database(site));
  site.rebuild();
  const record = site.open('B');
  record.setReleased('B', 2, true);
  t.is(record.claim({ node: 'A', fenced: false, now: wall }), 3);
});

test('the callout that records meanwhile goes on, and what it writes counts', async (t) => {
  const site = await serveTwice(t);
  const journal = statSync(join(site.directory, 'journal.B')).ino;
  rmSync(database(site));
  site.rebuild();
  t.is(statSync(join(site.directory, 'journal.B')).ino, journal);
  site.append('B', event('add-client', 'later', 20), event('del-client', 'c', 21));
  const record = site.open('B');
  record.fold();
  t.deepEqual(record.clientNames(), ['a', 'b', 'gone', 'later']);
  // The same command again, in the same epoch and boot, keeps the journal.
  t.true((await site.serve(record, { node: 'B', epoch: 2, fsids: ['1', '2'] })).kept);
});

test('a takeover that no journal tells of, and a late del-client: the client stays', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  record.claim({ node: 'A', fenced: false, now: wall });
  await site.serve(record);
  site.append('A', event('add-client', 'c'));
  // B is stopped before B-2; A was not dead after all, and its lockd forgets the client.
  record.claim({ node: 'B', fenced: true, now: wall });
  site.append('A', event('del-client', 'c', 9));
  record.fold();
  t.deepEqual(record.clientNames(), ['c']);
  t.deepEqual(
    site.rebuilt().map(({ client }) => client),
    ['c'],
  );
});

test('two nodes that say they had the last epoch: neither goes on by itself', async (t) => {
  const site = await serveTwice(t);
  site.append('A', {
    kind: 'serving',
    uptime: 1,
    node: 'A',
    epoch: 2,
    wall: wall + 500,
    bootId: '-',
    fsids: ['1'],
  });
  rmSync(database(site));
  t.like(site.rebuild(), { owner: 'B', epoch: 3 });
  const record = site.open();
  t.throws(() => record.assertOwner('A', 2), { code: 'NOT_OWNER' });
  t.throws(() => record.assertOwner('B', 2), { code: 'NOT_OWNER' });
});

test('a journal whose first line is damaged still names its clients', async (t) => {
  const site = await serveTwice(t);
  rmSync(database(site));
  rmSync(join(site.directory, 'journal.A'));
  const file = join(site.directory, 'journal.B');
  writeFileSync(file, readFileSync(file, 'latin1').replace('serving', 's\0rving'), 'latin1');
  t.like(site.rebuild(), { owner: undefined, epoch: 0, clients: 4 });
  t.deepEqual(
    site
      .open()
      .clients()
      .filter(({ client }) => client === 'b' || client === 'c')
      .map(({ fsid }) => fsid),
    ['2', '2'],
  );
  site.append('B', event('add-client', 'any', 30));
  t.like(site.rebuild({ force: true, fsids: ['7', '8'] }), { clients: 5 });
  const any = site
    .open()
    .clients()
    .filter(({ client }) => client === 'any');
  t.deepEqual(
    any.map(({ fsid, since }) => [fsid, since]),
    [
      ['7', wall],
      ['8', wall],
    ],
  );
});

test('a sound database is left as it is, but with force', async (t) => {
  const site = await serveTwice(t);
  const before = readFileSync(database(site));
  const error = t.throws<FailoverError>(() => site.rebuild(), { code: 'RECORD_SOUND' });
  t.regex(error.hint ?? '', /--force/);
  t.deepEqual(readFileSync(database(site)), before);
  const { aside } = site.rebuild({ force: true });
  t.deepEqual(readFileSync(aside ?? ''), before);
});

test('an index that disagrees with its table: no open notices, rebuild does', async (t) => {
  const site = await serveTwice(t);
  const root = 'steps_of_operation';
  const change = (sql: (page: number) => string) => {
    const db = new Database(database(site));
    db.unsafeMode();
    db.pragma('writable_schema = ON');
    db.pragma('foreign_keys = OFF');
    db.exec(sql(page));
    db.close();
  };
  const page = withDatabase(site, (db) => {
    const id = Number(
      db.prepare("INSERT INTO operations (kind, node, epoch, began_at) VALUES ('x', 'A', 1, 1)").run()
        .lastInsertRowid,
    );
    db.exec(
      `INSERT INTO steps VALUES (NULL, ${id}, 'B-1', NULL, 'done', 1, '', 1), (NULL, ${id}, 'B-2', NULL, 'done', 1, '', 1)`,
    );
    return Number(db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(root));
  });
  change(() => `DELETE FROM sqlite_schema WHERE name = '${root}'`);
  // As many entries as rows, but not theirs: quick_check, of every open, only counts.
  change(() => "UPDATE steps SET operation = 0 WHERE step = 'B-1'");
  change(
    (at) =>
      `INSERT INTO sqlite_schema VALUES ('index', '${root}', 'steps', ${at}, 'CREATE INDEX ${root} ON steps (operation)')`,
  );
  t.notThrows(() => site.open().close());
  t.like(site.rebuild(), { owner: 'B', epoch: 2 });
});

function withDatabase<T>(site: Site, use: (db: Database.Database) => T): T {
  const db = openDatabase(database(site));
  try {
    return use(db);
  } finally {
    db.close();
  }
}

test('a newer schema is not replaced, but with force', async (t) => {
  const site = await serveTwice(t);
  openDatabase(database(site), [...migrations, 'CREATE TABLE of_tomorrow (x)']).close();
  t.throws(() => site.rebuild(), { code: 'RECORD_NEWER' });
  t.like(site.rebuild({ force: true }), { clients: 4 });
});

test('another process holds it: not replaced, with force neither', async (t) => {
  const site = await serveTwice(t);
  const holder = startProcess(t, 'hold-database.js', [database(site)]);
  t.is(await holder.line(), 'held');
  for (const force of [false, true])
    t.throws(() => site.rebuild({ force, busyTimeout: 1 }), { code: 'RECORD_BUSY' });
  holder.write('\n');
  t.is((await holder.ended()).code, 0);
  t.throws(() => site.rebuild(), { code: 'RECORD_SOUND' });
});

test('another process is about to write: not replaced before it has', async (t) => {
  const site = await serveTwice(t);
  const holder = startProcess(t, 'hold-database.js', [database(site), 'IMMEDIATE']);
  t.is(await holder.line(), 'held');
  t.throws(() => site.rebuild({ force: true, busyTimeout: 1 }), { code: 'RECORD_BUSY' });
  holder.write('\n');
  t.is((await holder.ended()).code, 0);
  t.like(site.rebuild({ force: true }), { clients: 4 });
});

test('two at once: what the first one made is not replaced by the second, which began before', async (t) => {
  const site = await serveTwice(t);
  truncateSync(database(site), 5000);
  // A corrupt database cannot be locked, so nothing keeps the two apart but this.
  const held = holdRecordDirectory(site.directory, { create: false });
  if (held === undefined) return void t.fail();
  t.teardown(() => held.close());
  const present = makePresent(held, true, { force: false });
  site.rebuild();
  const made = statSync(database(site)).ino;
  const temporary = join(site.directory, '.monitors.db.second');
  writeFileSync(temporary, '');
  t.throws(() => exchangeDatabase(site.directory, temporary, present), { code: 'RECORD_REPLACED' });
  t.is(statSync(database(site)).ino, made);
});

test('whoever has the old one open goes no further with it', async (t) => {
  const site = await serveTwice(t);
  const reader = site.open('B');
  const writer = site.open('B');
  writer.setReleased('B', 2, true);
  site.rebuild({ force: true });
  for (const use of [
    () => reader.assertOwner('B', 2),
    () => reader.clients(),
    () => reader.fold(),
    () => writer.setReleased('B', 2, false),
    () => writer.claim({ node: 'B', fenced: true, now: wall }),
    () => writer.exclusively('any', () => undefined),
  ]) {
    const error = t.throws<FailoverError>(use, { code: 'RECORD_REPLACED' });
    t.is(error.exitCode, 1);
    t.regex(error.hint ?? '', /status/);
  }
  t.deepEqual(site.open().ownership(), {
    owner: 'B',
    machine: undefined,
    epoch: 2,
    released: false,
    since: undefined,
  });
});

test('a rollback journal of the old one is not played back into the new one', async (t) => {
  const site = await serveTwice(t);
  const rollback = `${database(site)}-journal`;
  // As a crash in the middle of a write leaves it: synced, as the cache is too small for the transaction.
  const hot = withDatabase(site, (db) => {
    db.pragma('cache_size = 1');
    db.exec("BEGIN IMMEDIATE; UPDATE clients SET since = 0, my_name = 'x'; UPDATE ownership SET epoch = 77");
    const insert = db.prepare("INSERT INTO bad_lines (node, place, text) VALUES ('A', 1, ?)");
    for (let line = 0; line < 200; line += 1) insert.run('y'.repeat(3000));
    const bytes = readFileSync(rollback);
    db.exec('ROLLBACK');
    return bytes;
  });
  t.true(hot.length > 4096);
  rmSync(database(site));
  writeFileSync(rollback, hot, { mode: 0o600 });
  site.rebuild();
  t.like(site.open().ownership(), { owner: 'B', epoch: 2 });
  t.deepEqual(site.open().clientNames(), ['a', 'b', 'c', 'gone']);
  const aside = names(site).filter((name) => /^monitors\.db\..*-journal$/.test(name));
  t.deepEqual(
    aside.map((name) => readFileSync(join(site.directory, name)).equals(hot)),
    [true],
  );
});

test('a record that is sound is said to be, also where there is no journal', (t) => {
  const site = makeSite(t);
  site.open().claim({ node: 'A', fenced: false, now: 1 });
  t.throws(() => site.rebuild(), { code: 'RECORD_SOUND' });
});

test('no journal: nothing to rebuild from; with force an empty record', (t) => {
  const site = makeSite(t);
  t.throws(() => site.rebuild(), { code: 'NO_JOURNALS', message: /does not exist/ });
  t.throws(() => site.rebuild({ force: true }), { code: 'NO_JOURNALS' });
  site.open().close();
  writeFileSync(database(site), 'garbage '.repeat(999));
  t.throws(() => site.rebuild(), { code: 'NO_JOURNALS', message: /has no journal/ });
  t.like(site.rebuild({ force: true }), { clients: 0, owner: undefined, epoch: 0, nsmState: undefined });
  t.is(site.open().claim({ node: 'B', fenced: false, now: 1 }), 1);
});

test('what others could control is neither read nor replaced', async (t) => {
  for (const name of ['monitors.db', 'journal.A']) {
    const site = await serveTwice(t);
    renameSync(join(site.directory, name), join(site.directory, 'elsewhere'));
    symlinkSync('elsewhere', join(site.directory, name));
    t.throws(() => site.rebuild({ force: true }), { code: 'RECORD_UNSAFE' });
    t.false(names(site).some((one) => one.startsWith('.')));
  }
});

test('what a killed run left is cleared, and nothing else', async (t) => {
  const site = await serveTwice(t);
  truncateSync(database(site), 5000);
  linkSync(database(site), join(site.directory, 'monitors.db.20261125T010101.0a0b0c0d'));
  linkSync(database(site), join(site.directory, 'monitors.db.mine'));
  writeFileSync(join(site.directory, '.monitors.db.x'), '');
  writeFileSync(join(site.directory, 'monitors.db.20261125T010102.0a0b0c0d'), 'an earlier one');
  site.rebuild();
  const left = names(site).filter((name) => name.includes('monitors.db'));
  t.true(left.includes('monitors.db.20261125T010102.0a0b0c0d') && left.includes('monitors.db.mine'));
  t.false(left.includes('.monitors.db.x') || left.includes('monitors.db.20261125T010101.0a0b0c0d'));
});
