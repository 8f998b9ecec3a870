import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FailoverError, exitCodes } from '../../errors.js';
import { exchangeDatabase, removeLeftovers, temporaryPrefix } from './exchange-database.js';
import { fillDatabase, type Filled } from './fill-database.js';
import { readJournals } from './read-journals.js';
import { makePresent } from './present-database.js';
import type { HeldDirectory } from '../safe-files/held-directory.js';
import { databasePath } from '../safe-files/layout.js';
import { assertNotMoved } from '../safe-files/moved-mark.js';
import { checkDatabaseFiles, holdRecordDirectory } from '../safe-files/record-directory.js';
import { guarded, isFull, recordError } from '../record-error.js';
import { spendReserve } from '../safe-files/reserve.js';

export interface RebuildRequest {
  /** `<state>/sm_<address>`. */
  readonly directory: string;
  /** Also where the present database is sound, newer or cannot be read, or where there is no journal. */
  readonly force: boolean;
  /** Of the configuration: for events of a journal whose first line cannot be read. */
  readonly fsids: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** How long to wait for another process that holds the present database, ms. */
  readonly busyTimeout?: number | undefined;
}

export interface Rebuilt extends Filled {
  /** The nodes whose journals were read. */
  readonly journals: readonly string[];
  /** Where the former database is; undefined: there was none. */
  readonly aside: string | undefined;
}

/**
 * Makes monitors.db anew from the journals beside it, where it is missing, empty or corrupt.
 *
 * - Clients: everybody whom a line of any journal names. Rather one too many: notified too often is harmless.
 * - Owner: the node of the serving line with the highest epoch, in that epoch, not released. That is a presumption (whether
 *   it had let go, or another node had claimed the address, only the lost database knew), and recorded as one: that node may
 *   go on recording, and release; every takeover needs --fenced. See ownership.ts.
 * - NSM state: that of nsm-states, which the next one will be above.
 * - Lost are: who was not notified of the last grace, the operations, what was held at the last release, and the findings.
 *
 * The new database is complete and durable under another name before it takes the place of the old one, with one
 * rename(2): a crash leaves the old one or the new one.
 *
 * Throws RECORD_SOUND, NO_JOURNALS, RECORD_NEWER, RECORD_BUSY, RECORD_UNSAFE, RECORD_FULL, RECORD_UNUSABLE, RECORD_REPLACED.
 */
export function rebuildRecord(request: RebuildRequest): Rebuilt {
  const { directory } = request;
  return guarded(`rebuilding ${databasePath(directory)}`, () => {
    const held = holdRecordDirectory(directory, { create: false });
    if (held === undefined) throw noDirectory(directory);
    try {
      return rebuildInSpace(held, request);
    } finally {
      held.close();
    }
  });
}

/** With the space of the reserve where there is none: without a record there is no failover. */
function rebuildInSpace(held: HeldDirectory, request: RebuildRequest): Rebuilt {
  try {
    return rebuildIn(held, request);
  } catch (error) {
    const isForSpace = isFull(recordError(`rebuilding ${databasePath(held.path)}`, error));
    if (isForSpace && spendReserve(held.way, 'failover')) return rebuildIn(held, request);
    throw error;
  }
}

function rebuildIn(held: HeldDirectory, request: RebuildRequest): Rebuilt {
  assertNotMoved(held);
  const isThere = checkDatabaseFiles(held);
  const contents = readJournals(held.way, request);
  const present = makePresent(held, isThere, request);
  try {
    // Only now: of a record that is sound that is said, also where there is no journal.
    if (contents.nodes.length === 0 && !request.force) throw noJournals(held.path);
    removeLeftovers(held.way);
    const temporary = held.at(temporaryPrefix + randomUUID());
    try {
      const filled = fillDatabase(temporary, held.way, contents, request.now);
      const aside = exchangeDatabase(held.way, temporary, present);
      return {
        ...filled,
        journals: contents.nodes,
        aside: aside === undefined ? undefined : join(held.path, basename(aside)),
      };
    } finally {
      for (const file of [temporary, `${temporary}-journal`]) rmSync(file, { force: true });
    }
  } finally {
    present.close();
  }
}

function noDirectory(directory: string): FailoverError {
  return nothingToReadFrom(
    `${directory} does not exist`,
    directory,
    'See that the storage is mounted. Where the address was never served, its first takeover makes the record.',
  );
}

function noJournals(directory: string): FailoverError {
  return nothingToReadFrom(
    `${directory} has no journal`,
    directory,
    'Restore the directory from a backup. Only where nobody can hold a lock through this address, add --force for an empty record.',
  );
}

function nothingToReadFrom(what: string, directory: string, hint: string): FailoverError {
  return new FailoverError(`${what}, so there is nothing to rebuild the record from`, {
    code: 'NO_JOURNALS',
    exitCode: exitCodes.stepFailed,
    operation: `rebuilding ${databasePath(directory)}`,
    hint,
  });
}
