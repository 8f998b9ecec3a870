import { chmodSync, closeSync, openSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import Database from 'better-sqlite3';
import type { FailoverError } from '../../../src/errors.js';
import { busyTimeout, openDatabase } from '../../../src/record/database/database.js';
import { guarded } from '../../../src/record/record-error.js';
import { openRecord } from '../../../src/record/record.js';
import { applicationId, migrations } from '../../../src/record/database/schema.js';
import { makeSite, type Site } from '../helpers/site.js';

function databaseFile(t: ExecutionContext, site: Site = makeSite(t)): string {
  site.open().close();
  return join(site.directory, 'monitors.db');
}

function open(t: ExecutionContext, ...args: Parameters<typeof openDatabase>): Database.Database {
  const db = openDatabase(...args);
  t.teardown(() => db.close());
  return db;
}

test('every open sets what is not a property of the file', (t) => {
  const file = databaseFile(t);
  for (const db of [open(t, file), open(t, file)]) {
    t.is(db.pragma('synchronous', { simple: true }), 2);
    t.is(db.pragma('journal_mode', { simple: true }), 'truncate');
    t.is(db.pragma('foreign_keys', { simple: true }), 1);
    t.is(db.pragma('trusted_schema', { simple: true }), 0);
    t.is(db.pragma('busy_timeout', { simple: true }), busyTimeout);
    t.is(db.pragma('locking_mode', { simple: true }), 'normal');
    t.is(db.pragma('user_version', { simple: true }), migrations.length);
    t.is(db.pragma('application_id', { simple: true }), applicationId);
  }
});

test('a database in WAL mode, as somebody may have set it, is brought back', (t) => {
  const file = databaseFile(t);
  const other = new Database(file);
  other.pragma('journal_mode = WAL');
  other.close();
  t.is(open(t, file).pragma('journal_mode', { simple: true }), 'truncate');
});

test('steps that a database has not seen are run once, in order', (t) => {
  const file = databaseFile(t);
  const second = 'CREATE TABLE second (x)';
  const third = 'INSERT INTO second VALUES (3)';
  const count = (db: Database.Database) => db.prepare('SELECT count(*) FROM second').pluck().get();
  t.is(count(open(t, file, [...migrations, second])), 0);
  t.is(count(open(t, file, [...migrations, second, third])), 1);
  t.is(count(open(t, file, [...migrations, second, third])), 1);
});

test('a step that fails leaves the schema as it was', (t) => {
  const file = databaseFile(t);
  t.throws(() => openDatabase(file, [...migrations, 'CREATE TABLE second (x)', 'no SQL']), { any: true });
  const db = open(t, file);
  t.is(db.pragma('user_version', { simple: true }), migrations.length);
  t.is(db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'second'").pluck().get(), 0);
});

test('a newer schema is refused, and left as it is', (t) => {
  const file = databaseFile(t);
  open(t, file, [...migrations, 'CREATE TABLE second (x)']);
  const error = t.throws(() => openDatabase(file), { code: 'RECORD_NEWER' });
  t.regex(error.message, /schema \d+; this nlm-failover knows/u);
});

test('some other database is refused', (t) => {
  const file = databaseFile(t);
  truncateSync(file, 0);
  const other = new Database(file);
  other.exec('CREATE TABLE theirs (x)');
  other.close();
  t.throws(() => openDatabase(file), { code: 'RECORD_CORRUPT' });
});

test('a corrupt database is refused, with a way on', (t) => {
  for (const corrupt of [
    (file: string) => writeFileSync(file, 'not a database at all, but long enough for a header'.repeat(9)),
    (file: string) => truncateSync(file, 5000),
    (file: string) => {
      const fd = openSync(file, 'r+');
      writeSync(fd, Buffer.alloc(20_000, 0xa5), 0, 20_000, 4096);
      closeSync(fd);
    },
  ]) {
    const site = makeSite(t);
    const file = databaseFile(t, site);
    corrupt(file);
    const error = t.throws<FailoverError>(() => site.open(), { code: 'RECORD_CORRUPT' });
    t.regex(error.hint ?? '', /rebuild/u);
    t.true(error.message.includes(file));
  }
});

test('a database that somebody keeps locked is named as such', (t) => {
  const file = databaseFile(t);
  const holder = open(t, file);
  holder.exec('BEGIN EXCLUSIVE');
  t.throws(() => openDatabase(file, migrations, 1), { code: 'RECORD_BUSY' });
  holder.exec('ROLLBACK');
});

test('a damaged page met later is a clear sentence too', (t) => {
  const site = makeSite(t);
  const record = site.open();
  const file = join(site.directory, 'monitors.db');
  const { size } = statSync(file);
  const fd = openSync(file, 'r+');
  // From the change counter on, by which SQLite sees that what it has cached is void.
  writeSync(fd, Buffer.alloc(size - 24, 0xa5), 0, size - 24, 24);
  // Held open to the end: to close it would drop the locks that SQLite has in this process.
  t.teardown(() => closeSync(fd));
  t.throws(() => record.ownership(), { code: 'RECORD_CORRUPT' });
});

test('no space left is named as such, and what was there stays', (t) => {
  const site = makeSite(t);
  const record = site.open();
  const db = open(t, join(site.directory, 'monitors.db'));
  const pages = Number(db.pragma('page_count', { simple: true }));
  db.pragma(`max_page_count = ${pages}`);
  const insert = db.prepare('INSERT INTO bad_lines (node, place, text) VALUES (?, 1, ?)');
  const fill = () => {
    for (;;) insert.run('A', 'x'.repeat(2000));
  };
  t.throws(() => guarded('filling', db.transaction(fill)), { code: 'RECORD_FULL' });
  t.deepEqual(record.badLines(), []);
  t.deepEqual(record.clients(), []);
});

test('no record, and not to be made', (t) => {
  const site = makeSite(t);
  t.is(openRecord({ directory: site.directory, node: 'A', create: false }), undefined);
  site.open();
  const record = openRecord({ directory: site.directory, node: 'A', create: false });
  t.deepEqual(record?.clients(), []);
  record?.close();
});

test('a database that may not be read', (t) => {
  if (process.getuid?.() === 0) return void t.pass('root may read everything');
  const file = databaseFile(t);
  chmodSync(file, 0);
  return void t.throws(() => openDatabase(file), { code: 'RECORD_UNUSABLE' });
});

test('reads of one moment: nobody commits between them', (t) => {
  const site = makeSite(t);
  const record = site.open();
  const other = open(t, join(site.directory, 'monitors.db'), migrations, 1);
  const write = () => other.exec('UPDATE ownership SET epoch = epoch + 1');
  record.atOneMoment('reading', () => {
    t.is(record.ownership().epoch, 0);
    t.throws(write, { any: true, code: 'SQLITE_BUSY' });
    t.is(record.ownership().epoch, 0);
  });
  write();
  t.is(record.ownership().epoch, 1);
});

for (const [what, sql] of [
  ['a trigger', 'CREATE TRIGGER more AFTER UPDATE ON ownership BEGIN DELETE FROM clients; END'],
  ['a view in the place of a table', 'DROP TABLE steps; CREATE VIEW steps AS SELECT 1 AS id'],
  ['a table less', 'DROP TABLE bad_lines'],
  ['a column more', 'ALTER TABLE clients ADD COLUMN more TEXT'],
] as const) {
  test(`what somebody else has made of it is no record: ${what}`, (t) => {
    const site = makeSite(t);
    site.open().close();
    const db = new Database(join(site.directory, 'monitors.db'));
    db.exec(sql);
    db.close();
    t.throws(() => site.open(), { code: 'RECORD_CORRUPT', message: /its tables are not those of a record/ });
  });
}
