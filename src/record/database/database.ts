import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { FailoverError, exitCodes } from '../../errors.js';
import { guarded, inPlainWords, rebuildHint } from '../record-error.js';
import { applicationId, migrations } from './schema.js';
import { assertNoSuperJournal } from './super-journal.js';

/**
 * The most that monitors.db or its rollback journal may be, bytes. A million clients are some 100 MB; what is larger by far was
 * made so by somebody, and to read it would take as long as he likes.
 */
const largest = 4 * 1024 ** 3;

/** Of a million clients the pages that clients in no order touch, all at once; of few there are not so many. */
const cacheKiB = 128 << 10;

/** How long to wait for another process, on any host, that holds the database: ms. */
export const busyTimeout = 15_000;

/**
 * Opens the existing `file`, checks it (unless this process has just done so: `isChecked`), and brings its schema up to date; an empty file becomes a new record.
 *
 * - TRUNCATE, not WAL: two hosts may see the file, and WAL's index is shared memory of one host
 *   (sqlite.org/wal.html). Not DELETE: with TRUNCATE and synchronous=FULL SQLite syncs the emptied journal
 *   (pager.c, pager_end_transaction), so that a power cut cannot bring it back and undo the commit.
 * - FULL is set upon every open, as it is not a property of the file.
 *
 * Throws RECORD_UNSAFE, RECORD_NEWER, RECORD_CORRUPT, RECORD_BUSY, RECORD_FULL, RECORD_UNUSABLE.
 */
export function openDatabase(
  file: string,
  steps: readonly string[] = migrations,
  timeout = busyTimeout,
  isChecked = false,
): Database.Database {
  const name = inPlainWords(file);
  return guarded(
    `opening ${name}`,
    () => {
      for (const one of [file, `${file}-journal`]) {
        const { size = 0 } = statSync(one, { throwIfNoEntry: false }) ?? {};
        if (size > largest)
          throw corrupt(inPlainWords(one), `it has ${size} bytes, and a record at most ${largest}`);
      }
      assertNoSuperJournal(file);
      const db = new Database(file, { fileMustExist: true, timeout });
      try {
        // Before anything is read: what the schema calls, SQLite would run.
        db.pragma('trusted_schema = OFF');
        db.pragma('journal_mode = TRUNCATE');
        db.pragma('synchronous = FULL');
        db.pragma('foreign_keys = ON');
        db.pragma(`cache_size = -${cacheKiB}`);
        const verdict = isChecked ? 'ok' : db.pragma('quick_check(1)', { simple: true });
        if (verdict !== 'ok') throw corrupt(name, oneLine(String(verdict)));
        migrate(db, name, steps);
        if (schemaOf(db) !== schemaBy(steps)) throw corrupt(name, 'its tables are not those of a record');
        return db;
      } catch (error) {
        db.close();
        throw error;
      }
    },
    { file, busyMs: timeout },
  );
}

/** By the steps that make it. */
const schemas = new Map<readonly string[], string>();

/** What a database has that these steps have made; a trigger more, say, and SQLite would do what somebody else has written. */
function schemaBy(steps: readonly string[]): string {
  const known = schemas.get(steps);
  if (known !== undefined) return known;
  const db = new Database(':memory:');
  for (const step of steps) db.exec(step);
  const schema = schemaOf(db);
  db.close();
  schemas.set(steps, schema);
  return schema;
}

/** Each table, index, view and trigger, as it was written; without those that SQLite makes by itself. */
function schemaOf(db: Database.Database): string {
  return JSON.stringify(
    db
      .prepare<[], unknown[]>(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY type, name",
      )
      .raw()
      .all(),
  );
}

/** SQLite's verdict may have a heading and several lines; an error has one sentence. */
function oneLine(verdict: string): string {
  return verdict.replace(/^[*]{3} .* [*]{3}\s*/u, '').replaceAll(/\s+/gu, ' ');
}

/** Runs the steps that `db` has not seen, all or none. */
function migrate(db: Database.Database, file: string, steps: readonly string[]): void {
  if (versionOf(db, file, steps.length) === steps.length) return;
  db.transaction(() => {
    // Again, under the lock: another process may have been faster.
    for (const step of steps.slice(versionOf(db, file, steps.length))) db.exec(step);
    db.pragma(`application_id = ${applicationId}`);
    db.pragma(`user_version = ${steps.length}`);
  }).immediate();
}

function versionOf(db: Database.Database, file: string, known: number): number {
  return db.transaction(() => {
    const version = Number(db.pragma('user_version', { simple: true }));
    const id = Number(db.pragma('application_id', { simple: true }));
    const tables = db.prepare<[], number>('SELECT count(*) FROM sqlite_schema').pluck().get() ?? 0;
    if (version === 0 && id === 0 && tables === 0) return 0;
    if (id !== applicationId) throw corrupt(file, 'it is some other database');
    if (version > known) throw newer(file, version, known);
    return version;
  })();
}

function newer(file: string, version: number, known: number): FailoverError {
  return new FailoverError(`${file} has schema ${version}; this nlm-failover knows schemas up to ${known}`, {
    code: 'RECORD_NEWER',
    exitCode: exitCodes.stepFailed,
    operation: `opening ${file}`,
    hint: 'Install here the version of nlm-failover that the other node runs.',
  });
}

function corrupt(file: string, why: string): FailoverError {
  return new FailoverError(`${file} is not a record that can be used: ${why}`, {
    code: 'RECORD_CORRUPT',
    exitCode: exitCodes.stepFailed,
    operation: `opening ${file}`,
    hint: rebuildHint(file),
  });
}
