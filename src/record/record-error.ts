import { readlinkSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { ErrorCode } from '../error-codes.js';
import { FailoverError, errnoOf, exitCodes, messageOf } from '../errors.js';
import { doing } from '../host/running/watchdog.js';
import { realHost } from '../host/real.js';
import { lockHolder } from '../host/reading/locks.js';

interface Meaning {
  readonly code: ErrorCode;
  readonly says: string;
  /** Or what makes it, of the operation's name. */
  readonly hint: string | ((operation: string) => string);
}

const corrupt: Meaning = {
  code: 'RECORD_CORRUPT',
  says: 'the database is corrupt',
  hint: rebuildHint,
};
const findHolder =
  'Find the process that holds monitors.db open (fuser), on any host that sees it, and end it';
const busy: Meaning = {
  code: 'RECORD_BUSY',
  says: 'another process has kept the database locked',
  hint: `${findHolder}. Then run the same command again.`,
};
const full: Meaning = {
  code: 'RECORD_FULL',
  says: 'no space is left for the database',
  hint: 'Free some space on the file system of the state directory. Then run the same command again.',
};
const unusable: Meaning = {
  code: 'RECORD_UNUSABLE',
  says: 'the record cannot be read or written',
  hint: 'See that the state directory is mounted and writable, that its disk has no errors (dmesg), and that you are root. Then run the same command again.',
};

const replaced: Meaning = {
  code: 'RECORD_REPLACED',
  says: 'the database was replaced by another one meanwhile',
  hint: (operation) => `See "nlm-failover status ${addressIn(operation)}". Then run the same command again.`,
};

/** The database that is waited for, and how long, ms. */
export interface Awaited {
  readonly file: string;
  readonly busyMs: number;
}

/** The address whose record a path in sm_<address> belongs to; ADDRESS where it names none. */
export function addressIn(path: string): string {
  return /.*\bsm_([0-9A-Fa-f.:]*[0-9A-Fa-f])/u.exec(inPlainWords(path))?.[1] ?? 'ADDRESS';
}

/** The way on where the database is lost. `path` is in sm_<address>, which names the address. */
export function rebuildHint(path: string): string {
  return `Run "nlm-failover rebuild ${addressIn(path)}": it makes the record anew from the journals beside it, and puts this one aside.`;
}

/** Whether there was no space, or no quota. */
export function isFull(error: unknown): error is FailoverError {
  return error instanceof FailoverError && error.code === full.code;
}

/** Whether nothing can be written, for lack of space or as the file system is read-only, though it can be read. */
export function isUnwritable(error: unknown): error is FailoverError {
  if (!(error instanceof FailoverError)) return false;
  const cause = errnoOf(error.cause);
  return isFull(error) || cause === 'EROFS' || cause === 'SQLITE_READONLY';
}

/** Runs `action`; what SQLite or the file system throws becomes a FailoverError. `operation` names what on which path. */
export function guarded<T>(operation: string, action: () => T, awaited?: Awaited): T {
  doing(operation);
  try {
    return action();
  } catch (error) {
    throw recordError(operation, error, awaited);
  }
}

/** The FailoverError for what SQLite or the file system threw; anything else is returned as it is. */
export function recordError(operation: string, error: unknown, awaited?: Awaited): unknown {
  if (error instanceof FailoverError) return error;
  const found = meaningOf(error);
  const meaning = found === busy && awaited !== undefined ? busyFor(awaited) : found;
  if (meaning === undefined) return error;
  return new FailoverError(`${operation}: ${meaning.says} (${inPlainWords(messageOf(error))})`, {
    code: meaning.code,
    exitCode: exitCodes.stepFailed,
    operation,
    hint: typeof meaning.hint === 'string' ? meaning.hint : meaning.hint(operation),
    cause: error,
  });
}

function busyFor({ file, busyMs }: Awaited): Meaning {
  const holder = lockHolder(realHost, file);
  return {
    ...busy,
    says: `${holder === undefined ? 'another process' : `another process (${holder})`} has kept the database locked for ${busyMs / 1000} s`,
    hint:
      `${holder === undefined ? findHolder : 'See what that process does, and that it ends'}. Then run the same command again. ` +
      '[timeouts].record in the configuration sets how long to wait.',
  };
}

function meaningOf(error: unknown): Meaning | undefined {
  const code = errnoOf(error);
  if (code === undefined) return undefined;
  if (!(error instanceof Database.SqliteError)) {
    if (code === 'ENOSPC' || code === 'EDQUOT') return full;
    // ERR_..., with an underscore, is a defect of this program.
    return /^E[A-Z0-9]+$/u.test(code) ? unusable : undefined;
  }
  // Extended result codes follow the primary one after an underscore: SQLITE_BUSY_RECOVERY.
  if (/^SQLITE_(?:CORRUPT|NOTADB|FORMAT)/u.test(code)) return corrupt;
  if (/^SQLITE_(?:BUSY|LOCKED|PROTOCOL)/u.test(code)) return busy;
  if (code.startsWith('SQLITE_FULL')) return full;
  if (code === 'SQLITE_READONLY_DBMOVED') return replaced;
  if (/^SQLITE_(?:CANTOPEN|IOERR|READONLY|PERM|AUTH)/u.test(code)) return unusable;
  return undefined;
}

/** The text with the names of what its paths go through a descriptor of: see HeldDirectory. */
export function inPlainWords(text: string): string {
  return text.replaceAll(/\/proc\/[0-9]+\/fd\/[0-9]+/gu, (way) => {
    try {
      return readlinkSync(way);
    } catch {
      return way; // closed meanwhile
    }
  });
}
