import { lstatSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { FailoverError, exitCodes } from '../../errors.js';
import { busyTimeout as defaultBusyTimeout, openDatabase } from '../database/database.js';
import { migrations } from '../database/schema.js';
import type { HeldDirectory } from '../safe-files/held-directory.js';
import { databasePath } from '../safe-files/layout.js';
import { stillInPlace } from '../safe-files/still-in-place.js';

/** The database that a rebuilt one is to replace. */
export interface Present {
  readonly isThere: boolean;
  /** Throws RECORD_REPLACED where somebody else has put another one in its place meanwhile. */
  assertInPlace(): void;
  /** Lets go of it. */
  close(): void;
}

/**
 * Looks at the database that is there: missing, empty or corrupt; or sound, then only with `force`. A sound one is locked
 * until `close`, so that nobody is in the middle of a transaction when it loses its name; for whoever has it open see
 * still-in-place.ts.
 *
 * Throws RECORD_SOUND, RECORD_NEWER, RECORD_UNUSABLE, all but with `force`; RECORD_BUSY where somebody holds it: it may well
 * be sound.
 */
export function makePresent(
  held: HeldDirectory,
  isThere: boolean,
  {
    force,
    busyTimeout = defaultBusyTimeout,
  }: { readonly force: boolean; readonly busyTimeout?: number | undefined },
): Present {
  const file = databasePath(held.way);
  const assertInPlace = isThere ? stillInPlace(held) : () => undefined;
  const db = isThere ? openSound(file, force, busyTimeout) : undefined;
  try {
    if (db !== undefined) {
      if (!force) throw sound(databasePath(held.path));
      db.exec('BEGIN EXCLUSIVE');
    }
    return { isThere, assertInPlace, close: () => void db?.close() };
  } catch (error) {
    db?.close();
    throw error;
  }
}

/** The database, open, where it is sound; undefined where it is empty or corrupt, or something else and that does not matter. */
function openSound(file: string, force: boolean, busyTimeout: number): Database | undefined {
  // To open it would make a new record of it.
  if (lstatSync(file).size === 0) return undefined;
  try {
    const db = openDatabase(file, migrations, busyTimeout);
    // quick_check, of every open, does not compare the indexes with their tables: too slow each time, not here.
    if (db.pragma('integrity_check(1)', { simple: true }) === 'ok') return db;
    db.close();
    return undefined;
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    if (error.code === 'RECORD_CORRUPT') return undefined;
    if (force && (error.code === 'RECORD_NEWER' || error.code === 'RECORD_UNUSABLE')) return undefined;
    throw error;
  }
}

function sound(file: string): FailoverError {
  return new FailoverError(`${file} is sound: it knows more than the journals, and was not replaced`, {
    code: 'RECORD_SOUND',
    exitCode: exitCodes.stepFailed,
    operation: `rebuilding ${file}`,
    hint: 'Leave it as it is. With --force it is put aside, and one is made from the journals alone.',
  });
}
