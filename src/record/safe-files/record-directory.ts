import { closeSync, fchmodSync, lstatSync, mkdirSync, openSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { databaseName, databasePath } from './layout.js';
import { syncDirectory } from '../../host/directories.js';
import { unlessThere, unsafe } from './files.js';
import { type HeldDirectory, holdDirectory } from './held-directory.js';

/**
 * Holds `<state>/sm_<address>`: see holdDirectory. With `create` it is made where it is not there yet, 0711: statd's user must
 * pass through to its journal, and do nothing else. Whatever the umask. The state directory itself is never made: it would come
 * to lie under an unmounted mount point. Throws RECORD_UNSAFE; also where the directory is writable by others or not this
 * user's, as then somebody else controls who is notified of what. Undefined where it is not there.
 */
export function holdRecordDirectory(
  directory: string,
  { create }: { readonly create: boolean },
): HeldDirectory | undefined {
  const state = holdDirectory(dirname(directory));
  if (state === undefined) {
    if (create) statSync(dirname(directory)); // throws ENOENT
    return undefined;
  }
  try {
    const place = state.at(basename(directory));
    if (create) unlessThere(() => mkdirSync(place, 0o711));
    const held = state.enter(basename(directory));
    if (held === undefined) return undefined;
    try {
      checkOwned(held.path, held.stats);
      // Also where it was there: a run that was killed after mkdir has not done it.
      if (create && (held.stats.mode & 0o7777) !== 0o711) held.chmod(0o711);
      return held;
    } catch (error) {
      held.close();
      throw error;
    }
  } finally {
    state.close();
  }
}

/** Makes an empty database file in it, where there is none yet. */
export function makeDatabase(held: HeldDirectory): void {
  const file = databasePath(held.way);
  if (lstatOf(file) !== undefined) return;
  // SQLite makes durable what is in the directory, not the directory.
  syncDirectory(`${held.way}/..`);
  // SQLite gives monitors.db-journal the owner and the mode of the database.
  // Opened only where it is not there yet: closing a descriptor of a database drops this process's POSIX locks on it.
  unlessThere(() => makeEmptyFile(file));
}

/** Makes an empty file, mode 0600, that SQLite may take for a new database. Throws EEXIST. */
export function makeEmptyFile(file: string): void {
  const fd = openSync(file, 'wx', 0o600);
  fchmodSync(fd, 0o600);
  closeSync(fd);
}

/**
 * Throws RECORD_UNSAFE unless the database's files are real ones (no symbolic links), owned by this process's user, and writable
 * by nobody else. Returns false if the database is not there.
 */
export function checkDatabaseFiles(held: HeldDirectory): boolean {
  let isThere = false;
  // Of WAL, which this program does not use, but somebody may have set by hand.
  for (const name of [
    databaseName,
    `${databaseName}-journal`,
    `${databaseName}-wal`,
    `${databaseName}-shm`,
  ]) {
    const found = lstatOf(held.at(name));
    if (found === undefined) continue;
    const file = join(held.path, name);
    if (!found.isFile()) throw unsafe(file, 'is not a regular file');
    checkOwned(file, found);
    if (name === databaseName) isThere = true;
  }
  return isThere;
}

function checkOwned(path: string, found: Stats): void {
  const own = process.getuid?.() ?? 0;
  if (found.uid !== own) throw unsafe(path, `belongs to uid ${found.uid}, not to ${own}`);
  if ((found.mode & 0o022) !== 0) throw unsafe(path, 'is writable by others');
}

function lstatOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
