import {
  chmodSync,
  closeSync,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  statSync,
  type Stats,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf } from '../../errors.js';
import { syncDirectory, unsafe } from './files.js';

/** `<state>/sm_<address>`: where everything of one floating IP's record lies. */
export function recordDirectory(stateDirectory: string, address: string): string {
  return join(stateDirectory, `sm_${address}`);
}

/** The database in it. */
export const databaseName = 'monitors.db';

export function databasePath(directory: string): string {
  return join(directory, databaseName);
}

/**
 * Makes `<state>/sm_<address>` and an empty database file in it, where they are not there yet.
 * 0711: statd's user must pass through to its journal, and do nothing else. Whatever the umask.
 * The state directory itself is never made: it would come to lie under an unmounted mount point.
 */
export function makeRecordDirectory(directory: string): void {
  unlessThere(() => mkdirSync(directory, 0o711));
  checkDirectory(directory);
  // Also where it was there: a run that was killed after mkdir has not done it.
  if ((lstatSync(directory).mode & 0o7777) !== 0o711) chmodSync(directory, 0o711);
  if (lstatOf(databasePath(directory)) !== undefined) return;
  // SQLite makes durable what is in the directory, not the directory.
  syncDirectory(dirname(directory));
  // SQLite gives monitors.db-journal the owner and the mode of the database.
  // Opened only where it is not there yet: closing a descriptor of a database drops this process's POSIX locks on it.
  unlessThere(() => makeDatabaseFile(databasePath(directory)));
}

/** Makes an empty file that SQLite may take for a new database. Throws EEXIST. */
export function makeDatabaseFile(file: string): void {
  const fd = openSync(file, 'wx', 0o600);
  fchmodSync(fd, 0o600);
  closeSync(fd);
}

/**
 * Throws RECORD_UNSAFE unless the directory and the database's files in it are real ones (no symbolic links),
 * owned by this process's user, and writable by nobody else, so that nobody else controls who is notified.
 * Returns false if the directory or its database is not there.
 */
export function checkRecordDirectory(directory: string): boolean {
  if (!checkDirectory(directory)) return false;
  const journal = lstatOf(`${databasePath(directory)}-journal`);
  if (journal !== undefined) checkFile(`${databasePath(directory)}-journal`, journal);
  const database = lstatOf(databasePath(directory));
  if (database === undefined) return false;
  checkFile(databasePath(directory), database);
  return true;
}

function checkDirectory(directory: string): boolean {
  const found = lstatOf(directory);
  if (found === undefined) return false;
  if (!found.isDirectory()) throw unsafe(directory, 'is not a directory, or only a symbolic link to one');
  checkOwned(directory, found);
  // Whoever may rename in the parent can put another directory in this one's place.
  const parent = statSync(dirname(directory));
  const sticky = (parent.mode & 0o1000) !== 0;
  if (parent.uid !== 0 && parent.uid !== ownUid()) {
    throw unsafe(dirname(directory), `belongs to uid ${parent.uid}`);
  }
  if ((parent.mode & 0o022) !== 0 && !sticky) throw unsafe(dirname(directory), 'is writable by others');
  return true;
}

function checkFile(path: string, found: Stats): void {
  if (!found.isFile()) throw unsafe(path, 'is not a regular file');
  checkOwned(path, found);
}

function checkOwned(path: string, found: Stats): void {
  if (found.uid !== ownUid()) throw unsafe(path, `belongs to uid ${found.uid}, not to ${ownUid()}`);
  if ((found.mode & 0o022) !== 0) throw unsafe(path, 'is writable by others');
}

function ownUid(): number {
  return process.getuid?.() ?? 0;
}

function lstatOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** Runs a creating `action`; false if what it makes exists. */
function unlessThere(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}
