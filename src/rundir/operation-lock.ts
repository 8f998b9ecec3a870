import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { errnoOf, exitCodes, FailoverError, systemError } from '../errors.js';
import { makeDirectory } from '../host/directories.js';
import { barrierName, locksDirectory, watchName } from './operating.js';

/** One release or takeover of an address at a time on this node. */
export interface OperationLock {
  /** Lets go of it; more than once is no error. The end of the process, however it comes, does the same. */
  release(): void;
}

/**
 * Takes the lock of an address, or throws FailoverError OPERATION_RUNNING where another process has it: two takeovers at
 * once would each clear away what the other has just built. `run` is the host's directory of serving links. SYSTEM_ERROR where the
 * lock's file cannot be made.
 *
 * SQLite holds it, as its locks are the kernel's (fcntl(2)): they end with the process, kill -9 included, and leave
 * nothing to be judged by a pid. The file stays, empty: to remove it would let two processes lock two files of one name.
 */
export function lockOperation(run: string, address: string, operation: string): OperationLock {
  try {
    return lockIn(run, address, operation, running);
  } catch (error) {
    throw systemError(error, `locking ${address} for ${operation}`);
  }
}

/** The same for whoever answers calls into grace on this node: one process at a time. Throws OPERATION_RUNNING, SYSTEM_ERROR. */
export function lockWatch(run: string): OperationLock {
  try {
    return lockIn(run, watchName, 'join-grace --watch', watching);
  } catch (error) {
    throw systemError(error, 'locking join-grace --watch');
  }
}

/** The same for the process of CTDB's barrier: one on a node. Throws OPERATION_RUNNING, SYSTEM_ERROR. */
export function lockBarrier(run: string): OperationLock {
  try {
    return lockIn(run, barrierName, 'ctdb serve', serving);
  } catch (error) {
    throw systemError(error, 'locking ctdb serve');
  }
}

/** The same for `setup`: of two at once one would forget what the other has made. Throws OPERATION_RUNNING, SYSTEM_ERROR. */
export function lockSetup(run: string): OperationLock {
  try {
    return lockIn(run, 'setup', 'setup', settingUp);
  } catch (error) {
    throw systemError(error, 'locking setup');
  }
}

/**
 * The same for whoever has the bricks of this node write what they hold: who asks one takes the file away that it wrote. Undefined: another process
 * asks just now. Throws SYSTEM_ERROR.
 */
export function lockBricks(run: string): OperationLock | undefined {
  try {
    return lockIn(run, 'bricks', 'asking the bricks', running);
  } catch (error) {
    if (error instanceof FailoverError && error.code === 'OPERATION_RUNNING') return undefined;
    throw systemError(error, 'locking the bricks');
  }
}

function lockIn(
  run: string,
  address: string,
  operation: string,
  taken: (address: string, operation: string, holder: string) => FailoverError,
): OperationLock {
  const directory = locksDirectory(run);
  // The serving links beside it are for statd's user to read, this is for root alone.
  makeDirectory(run, 0o755);
  makeDirectory(directory, 0o700);
  const file = path.join(directory, address);
  const holder = `${file}.holder`;
  const db = new Database(file, { timeout: 0 });
  try {
    // Nothing of the empty database is written: a full /run must not hold up an operation.
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if (!(error instanceof Database.SqliteError) || error.code !== 'SQLITE_BUSY') throw error;
    throw taken(address, operation, holderOf(holder));
  }
  noteHolder(holder, `${operation}, pid ${process.pid}`);
  return {
    release: () => void db.close(),
  };
}

/** For people alone: where /run is full, they do without. */
function noteHolder(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error;
  }
}

function holderOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return 'it has just begun';
  }
}

function running(address: string, operation: string, holder: string): FailoverError {
  return new FailoverError(`Another nlm-failover is working on ${address} on this node (${holder})`, {
    code: 'OPERATION_RUNNING',
    exitCode: exitCodes.stepFailed,
    operation: `${operation} ${address}`,
    hint: 'Nothing was touched. Wait for it to end, or end that process. Then run the same command again.',
  });
}

function watching(_: string, operation: string, holder: string): FailoverError {
  return new FailoverError(`Calls into grace are answered on this node already (${holder})`, {
    code: 'OPERATION_RUNNING',
    exitCode: exitCodes.stepFailed,
    operation,
    hint: 'One is enough, for all addresses. Leave it, or end that process first.',
  });
}

function serving(_: string, operation: string, holder: string): FailoverError {
  return new FailoverError(`"nlm-failover ${operation}" runs on this node already (${holder})`, {
    code: 'OPERATION_RUNNING',
    exitCode: exitCodes.stepFailed,
    operation,
    hint: 'One is enough, for all addresses. Leave it, or end that process first.',
  });
}

function settingUp(_: string, operation: string, holder: string): FailoverError {
  return new FailoverError(`Another nlm-failover sets this node up (${holder})`, {
    code: 'OPERATION_RUNNING',
    exitCode: exitCodes.stepFailed,
    operation,
    hint: 'Nothing was touched. Wait for it to end. Then run the same command again.',
  });
}
