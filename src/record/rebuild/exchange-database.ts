import { randomBytes } from 'node:crypto';
import { linkSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Present } from './present-database.js';
import { databaseName, databasePath } from '../safe-files/layout.js';
import { syncDirectory } from '../../host/directories.js';

/** Of a database that is being made. */
export const temporaryPrefix = `.${databaseName}.`;
/** monitors.db.20261125T224000.0a1b2c3d: of one that was put aside. */
const asideName = /^monitors[.]db[.][0-9]{8}T[0-9]{6}[.][0-9a-f]{8}$/u;

/** Puts the present database aside, and `temporary` in its place. Returns where the old one is, if there was one. */
export function exchangeDatabase(directory: string, temporary: string, present: Present): string | undefined {
  const database = databasePath(directory);
  const rollback = `${database}-journal`;
  const time = new Date().toISOString().replaceAll(/[-:]|[.].*/gu, '');
  const aside = `${database}.${time}.${randomBytes(4).toString('hex')}`;
  present.assertInPlace();
  // A second name, so that there is no moment without a database.
  if (present.isThere) linkSync(database, aside);
  // It belongs to the old one, and SQLite would play it back into the new one. The old one does not need it any more: SQLite
  // does that before it reads the first page, so what is left in it is empty, or cannot be played back.
  if (lstatSync(rollback, { throwIfNoEntry: false }) !== undefined) renameSync(rollback, `${aside}-journal`);
  syncDirectory(directory);
  renameSync(temporary, database);
  syncDirectory(directory);
  return present.isThere ? aside : undefined;
}

/** Of a run that was killed: what it had made so far, and the second name of a database that is still in its place. */
export function removeLeftovers(directory: string): void {
  const database = lstatSync(databasePath(directory), { throwIfNoEntry: false });
  for (const name of readdirSync(directory)) {
    const file = join(directory, name);
    const isSecondName = asideName.test(name) && lstatSync(file).ino === database?.ino;
    if (name.startsWith(temporaryPrefix) || isSecondName) rmSync(file);
  }
}
