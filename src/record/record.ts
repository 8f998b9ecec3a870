import { FailoverError, exitCodes } from '../errors.js';
import { isNodeName, nodeNameRule } from '../names.js';
import { busyTimeout, openDatabase } from './database/database.js';
import { assertNotLost } from './lost-record.js';
import { databasePath } from './safe-files/layout.js';
import { MonitorRecord } from './monitor-record.js';
import { guarded } from './record-error.js';
import { migrations } from './database/schema.js';
import { assertNotMoved } from './safe-files/moved-mark.js';
import { checkDatabaseFiles, holdRecordDirectory, makeDatabase } from './safe-files/record-directory.js';
import { stillInPlace } from './safe-files/still-in-place.js';

export type { Adoption } from './journal/adopt.js';
export type { Audit, AuditedClient } from './tables/audit.js';
export type { NotedConfiguration } from './tables/configurations.js';
export type { Finding, FoundLock, RecordedFinding, Verdict } from './tables/findings.js';
export type { FoldReport, FoldedJournal } from './journal/fold.js';
export { type LargeJournal, largeJournalText } from './journal/journal-reading.js';
export type { AuditedLock, HeldLock } from './tables/held-locks.js';
export type { BadLine, RecordedClient } from './tables/journal-tables.js';
export { MonitorRecord } from './monitor-record.js';
export { isFull, isUnwritable } from './record-error.js';
export type { Reserve } from './safe-files/reserve.js';
export type { NotifyCounts } from './tables/notifications.js';
export type {
  Operation,
  OperationEnd,
  OperationKind,
  OperationStart,
  StepRecord,
} from './tables/operations.js';
export { provedMark } from './tables/operations.js';
export {
  type Claim,
  type Holder,
  isCertainlyOwnedBy,
  isNamesake,
  isOwnedBy,
  isPresumed,
  type NodeIdentity,
  type Ownership,
} from './tables/ownership.js';

export interface RecordPlace {
  /** `<state>/sm_<address>`. Its parent must exist. */
  readonly directory: string;
  /** This node's name. */
  readonly node: string;
  /** And which machine of that name it is: see machine-id.ts. Who only reads may leave it out. */
  readonly machine?: string | undefined;
  /** Whether to make the record where there is none. */
  readonly create: boolean;
  /** Also where it was moved away: for whoever looks what has been written there since. */
  readonly evenMoved?: boolean;
  /** How long to wait for another process that holds the database; default 15. */
  readonly busySeconds?: number;
  /** Whether this process has checked the database before, as whoever looks again and again has. */
  readonly isChecked?: boolean;
}

/**
 * Opens the record of one floating IP; undefined where there is none and `create` is false.
 *
 *     const record = openRecord({ directory: '/shared_storage/sm_10.10.1.1', node: 'B', machine, create: true });
 *     record.fold();
 *     const epoch = record.claim({ node: 'B', fenced: false, now: Date.now() });
 *
 * Throws RECORD_UNSAFE, RECORD_MISSING, RECORD_NEWER, RECORD_CORRUPT, RECORD_BUSY, RECORD_FULL, RECORD_UNUSABLE; the methods
 * throw the last four of these too, RECORD_BUSY after `busySeconds`, and RECORD_REPLACED and RECORD_MOVED.
 */
export function openRecord(place: RecordPlace & { readonly create: true }): MonitorRecord;
export function openRecord(place: RecordPlace): MonitorRecord | undefined;
export function openRecord({
  directory,
  node,
  machine,
  create,
  busySeconds,
  isChecked,
  evenMoved = false,
}: RecordPlace): MonitorRecord | undefined {
  const busyMs = busySeconds === undefined ? busyTimeout : busySeconds * 1000;
  if (!isNodeName(node)) throw badNode(node);
  const held = guarded(`opening the record in ${directory}`, () =>
    holdRecordDirectory(directory, { create }),
  );
  if (held === undefined) return undefined;
  try {
    const there = guarded(`opening the record in ${directory}`, () => {
      if (!evenMoved) assertNotMoved(held);
      assertNotLost(held);
      if (create) makeDatabase(held);
      return checkDatabaseFiles(held);
    });
    if (there) {
      const assertInPlace = guarded(`opening the record in ${directory}`, () => stillInPlace(held));
      assertInPlace();
      const db = openDatabase(databasePath(held.way), migrations, busyMs, isChecked);
      const stands = { assertInPlace, assertNotMoved: () => (evenMoved ? undefined : assertNotMoved(held)) };
      return new MonitorRecord(db, held, machine, busyMs, stands);
    }
  } catch (error) {
    held.close();
    throw error;
  }
  held.close();
  return undefined;
}

function badNode(node: string): FailoverError {
  return new FailoverError(`${JSON.stringify(node)} cannot be the name of a node`, {
    code: 'BAD_NODE_NAME',
    exitCode: exitCodes.configuration,
    operation: 'opening the record',
    hint: `Set "node" in the configuration: ${nodeNameRule}.`,
  });
}
