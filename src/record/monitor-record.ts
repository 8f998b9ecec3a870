import { statSync } from 'node:fs';
import SqliteDatabase, { type Database } from 'better-sqlite3';
import { adoptClients, type Adoption } from './journal/adopt.js';
import * as audit from './tables/audit.js';
import * as configurations from './tables/configurations.js';
import * as findings from './tables/findings.js';
import { foldJournals, type FoldReport, noteFolded } from './journal/fold.js';
import { type LargeJournal, largeJournals } from './journal/journal-reading.js';
import * as heldLocks from './tables/held-locks.js';
import {
  countClients,
  journalTables,
  readClients,
  type BadLine,
  type JournalProgress,
  type RecordedClient,
  type Session,
} from './tables/journal-tables.js';
import * as notifications from './tables/notifications.js';
import * as operations from './tables/operations.js';
import * as ownership from './tables/ownership.js';
import { guarded, isFull } from './record-error.js';
import { keepReserve, type Reserve, reserveBytes, spendReserve } from './safe-files/reserve.js';
import { assertNoSuperJournal } from './database/super-journal.js';
import type { HeldDirectory } from './safe-files/held-directory.js';

/** Asked again and again while a record is open; both throw. */
export interface Stands {
  /** Before and after every use: see still-in-place.ts. */
  readonly assertInPlace: () => void;
  /** Before every use, and in each transaction that writes as the owner: see moved-mark.ts. */
  readonly assertNotMoved: () => void;
}

/** The record of one floating IP. Several processes, on several hosts, may have it open. Times are in ms since 1970. */
export class MonitorRecord {
  readonly #held: HeldDirectory;
  readonly #db: Database;
  readonly #busyMs: number;
  readonly #machine: string | undefined;
  readonly #stands: Stands;
  /** In memory; the directory is held by another one. */
  readonly #isCopy: boolean;
  #reserve: Reserve | undefined;
  /** The state that those returned by toNotify() are owed. */
  #owedState: number | undefined;

  /** `machine`: this one. */
  constructor(
    db: Database,
    held: HeldDirectory,
    machine: string | undefined,
    busyMs: number,
    stands: Stands,
    isCopy = false,
  ) {
    this.#db = db;
    this.#isCopy = isCopy;
    this.#machine = machine;
    this.#busyMs = busyMs;
    this.#held = held;
    this.#stands = stands;
  }

  /** Leaves no file open, so that the file system can be unmounted. */
  close(): void {
    if (!this.#db.open) return;
    this.#db.close();
    if (!this.#isCopy) this.#held.close();
  }

  /** sm_<address>, as it was named when it was opened. */
  get directory(): string {
    return this.#held.path;
  }

  /** The way to its files: see held-directory.ts. */
  get way(): string {
    return this.#held.way;
  }

  /** Takes in what the callouts wrote since the last fold, on every node. */
  fold(): FoldReport {
    return this.#guarded('folding the journals', () => foldJournals(this.#db, this.way));
  }

  /** Journals larger than what is read of one at once; an attack, or a defect. */
  largeJournals(): LargeJournal[] {
    return this.#guarded('looking at the journals', () => largeJournals(this.directory));
  }

  /** The clients that would be notified at the next takeover, by client, fsid, node. */
  clients(): RecordedClient[] {
    return this.#guarded('reading the clients', () => [...readClients(this.#db)]);
  }

  /** As clients(), one after another, however many: `use` must not use the record. */
  eachClient(use: (client: RecordedClient) => void): void {
    this.#guarded('reading the clients', () => {
      for (const row of readClients(this.#db)) use(row);
    });
  }

  /** How many clients are recorded. */
  clientCount(): number {
    return this.#guarded('counting the clients', () => countClients(this.#db));
  }

  /** Each recorded client once, sorted. */
  clientNames(): string[] {
    return this.#guarded('reading the clients', () =>
      this.#db.prepare<[], string>('SELECT DISTINCT client FROM clients ORDER BY client').pluck().all(),
    );
  }

  /** Adds clients that this node's statd monitors already and will not announce again; returns the names refused. */
  adopt(adoption: Adoption): string[] {
    return this.#guarded('adopting clients', () => adoptClients(this.#db, this.way, adoption));
  }

  /** Lines of the journals that could not be used, oldest first; the newest 1000 of them. */
  badLines(): BadLine[] {
    return this.#guarded('reading the bad lines', () =>
      this.#db.prepare<[], BadLine>('SELECT node, place AS offset, text FROM bad_lines ORDER BY id').all(),
    );
  }

  ownership(): ownership.Ownership {
    return this.#guarded('reading the owner', () => ownership.readOwnership(this.#db));
  }

  /** Which node has the address and has not released it. */
  holder(): ownership.Holder | undefined {
    return this.#guarded('reading the owner', () => ownership.readHolder(this.#db));
  }

  /** See ownership.ts. Folds first: what the last owner forgot while it had the address counts, later no more. Returns the epoch. Throws NOT_RELEASED (exit code 4). */
  claim(request: ownership.Claim): number {
    return this.#guarded('claiming the address', () => {
      foldJournals(this.#db, this.way);
      return this.exclusively('claiming the address', () =>
        ownership.claim(this.#db, this.#identity(request.node), request),
      );
    });
  }

  /** Throws NOT_OWNER (exit code 4) unless `node`, on this machine, is the owner, in this epoch. */
  assertOwner(node: string, epoch: number): void {
    this.#guarded('reading the owner', () => ownership.assertOwner(this.#db, this.#identity(node), epoch));
  }

  /** Says whether the owner has let go. Throws NOT_OWNER (exit code 4). */
  setReleased(node: string, epoch: number, released: boolean): void {
    this.exclusively('writing the owner', () =>
      ownership.setReleased(this.#db, this.#identity(node), epoch, released),
    );
  }

  /** See ownership.ts. */
  takenFrom(): string[] {
    return this.#guarded('reading the owner', () => ownership.takenFrom(this.#db));
  }

  /** See ownership.ts. */
  settleTakeover(epoch: number): void {
    this.exclusively('writing the owner', () => ownership.settleTakeover(this.#db, epoch));
  }

  /** The NSM state to send: that of the last grace. Undefined before the first. */
  nsmState(): number | undefined {
    return this.#guarded('reading the NSM state', () => notifications.readNsmState(this.#db));
  }

  /** A new odd NSM state, returned, and every recorded client, or `only` some, on the list of those to notify. Fold first. */
  beginGrace({ now, only }: { readonly now: number; readonly only?: readonly string[] }): number {
    return this.#guarded('beginning a grace', () => notifications.beginGrace(this.#db, this.way, now, only));
  }

  /** A state for who notifies beside the record, never given again: see notifications.ts. */
  reserveState({ now }: { readonly now: number }): number {
    return this.exclusively('giving an NSM state', () => notifications.reserveState(this.#db, this.way, now));
  }

  /** The clients who have not been notified of the latest NSM state, in the order in which they are to be: see notifications.ts. */
  toNotify(): string[] {
    return this.#guarded('reading whom to notify', () => {
      const { clients, state } = notifications.readToNotify(this.#db);
      this.#owedState = state;
      return clients;
    });
  }

  /** Strikes off clients of the list that toNotify() gave, unless another grace has begun since. */
  markNotified(clients: readonly string[], now: number): void {
    this.#guarded('writing who was notified', () => {
      const state = this.#owedState ?? notifications.readNsmState(this.#db);
      if (state !== undefined) notifications.markNotified(this.#db, clients, state, now);
    });
  }

  /** How many of those that toNotify() returns, the first ones, were seen since the grace before, or answered in it. */
  seenToNotify(): number {
    return this.#guarded('counting whom to notify', () => notifications.countSeen(this.#db));
  }

  /** Of those on the list for the latest NSM state. */
  notifyCounts(): notifications.NotifyCounts {
    return this.#guarded('reading who was notified', () => notifications.countNotified(this.#db));
  }

  /** see held-locks.ts. */
  noteHeldLocks(epoch: number, locks: readonly heldLocks.HeldLock[], gap: string | undefined): void {
    this.#guarded('noting the locks held', () => heldLocks.noteHeldLocks(this.#db, epoch, locks, gap));
  }

  /** see held-locks.ts. Returns how many came after A-1. */
  noteLaterLocks(epoch: number, locks: readonly heldLocks.HeldLock[]): number {
    return this.#guarded('noting the locks held', () => heldLocks.noteLaterLocks(this.#db, epoch, locks));
  }

  /** The locks noted at the last release, and which of them were seen reclaimed. */
  heldLocks(): heldLocks.AuditedLock[] {
    return this.#guarded('reading the locks held', () => heldLocks.readHeldLocks(this.#db));
  }

  markReclaimed(locks: readonly heldLocks.HeldLock[], now: number): void {
    this.#guarded('writing what was reclaimed', () => heldLocks.markReclaimed(this.#db, locks, now));
  }

  /** The audit of the last grace. */
  audit(): audit.Audit {
    return this.#guarded('reading the audit', () => audit.readAudit(this.#db));
  }

  /** The clients of the last grace, and whether `node` has seen them since. Fold first. */
  auditedClients(node: string): audit.AuditedClient[] {
    return this.#guarded('reading the audit', () => audit.readAuditedClients(this.#db, node));
  }

  /** How many they are. Fold first. */
  auditCounts(node: string): audit.AuditCounts {
    return this.#guarded('reading the audit', () => audit.countAuditedClients(this.#db, node));
  }

  /** Writes what the comparison after the last grace found; false where somebody has done that before. */
  closeAudit(result: {
    readonly epoch: number;
    readonly now: number;
    readonly findings: readonly findings.Finding[];
    readonly lost: number;
  }): boolean {
    return this.#guarded('writing the audit', () => findings.closeAudit(this.#db, result));
  }

  /** What all audits found, oldest first. */
  findings(): findings.RecordedFinding[] {
    return this.#guarded('reading the findings', () => findings.readFindings(this.#db));
  }

  /** Returns how many findings nobody had acknowledged before. */
  acknowledgeFindings(now: number): number {
    return this.#guarded('acknowledging the findings', () => findings.acknowledgeFindings(this.#db, now));
  }

  /** Returns the operation's id. */
  beginOperation(start: operations.OperationStart): number {
    return this.#guarded('writing the operation', () => operations.beginOperation(this.#db, start));
  }

  recordStep(id: number, step: operations.StepRecord): void {
    this.#guarded('writing a step', () => operations.recordStep(this.#db, id, step));
  }

  endOperation(id: number, end: operations.OperationEnd): void {
    this.#guarded('writing the operation', () => operations.endOperation(this.#db, id, end));
  }

  /** The latest operation of any node, with its steps. */
  lastOperation(): operations.Operation | undefined {
    return this.#guarded('reading the last operation', () => operations.lastOperation(this.#db));
  }

  /** The last `count` operations of any node, oldest first, with their steps. */
  lastOperations(count: number): operations.Operation[] {
    return this.#guarded('reading the operations', () => operations.lastOperations(this.#db, count));
  }

  /** Whether an operation of this epoch has done the step. */
  stepDone(step: {
    readonly epoch: number;
    readonly step: string;
    readonly fsid?: string | undefined;
  }): boolean {
    return this.#guarded('reading the steps', () => operations.stepDone(this.#db, step));
  }

  /** When the first release of an epoch was begun; undefined: none was. */
  firstReleaseAt(epoch: number): number | undefined {
    return this.#guarded('reading the operations', () => operations.firstReleaseAt(this.#db, epoch));
  }

  /** The journal of `node`, which has just been made of what is in the record, need not be folded: see serving-journal.ts. */
  noteFolded(node: string, session: Session): void {
    this.#guarded('writing the journals', () => noteFolded(this.#db, this.way, node, session));
  }

  /** What the configuration of a node says of the address now, for the others to compare with. */
  noteConfiguration(noted: configurations.NotedConfiguration): void {
    this.#guarded('noting the configuration', () => configurations.noteConfiguration(this.#db, noted));
  }

  /** What each node noted. */
  configurations(): configurations.NotedConfiguration[] {
    return this.#guarded('reading the configurations', () => configurations.readConfigurations(this.#db));
  }

  /** How far the journal of `node` is folded; for serving-journal.ts. */
  journalProgress(node: string): JournalProgress | undefined {
    return this.#guarded('reading the journals', () => journalTables(this.#db).read(node));
  }

  /** Runs reads that belong together as of one moment: no commit of another process comes between them. Must not write. */
  atOneMoment<T>(what: string, read: () => T): T {
    return this.#guarded(what, () => this.#db.transaction(read)());
  }

  /** Runs `action` while no other process can fold or write, nor move the record away. Throws RECORD_MOVED (exit code 3). */
  exclusively<T>(what: string, action: () => T): T {
    const asked = () => {
      // A move locks the database too: what is asked here is so until the commit.
      this.#stands.assertNotMoved();
      return action();
    };
    return this.#guarded(what, () => this.#db.transaction(asked).immediate());
  }

  /** `exclusively`, for what can be left out: undefined where there is no space. `isNeeded`: it is worth the reserve. */
  ifThereIsSpace<T>(what: string, write: () => T, isNeeded = false): { readonly written: T } | undefined {
    const written = () => ({ written: this.exclusively(what, write) });
    try {
      return isNeeded ? written() : this.withoutReserve(written);
    } catch (error) {
      if (isFull(error)) return undefined;
      throw error;
    }
  }

  /** Runs what is not worth the reserve. */
  withoutReserve<T>(action: () => T): T {
    const reserve = this.#reserve;
    this.#reserve = undefined;
    try {
      return action();
    } finally {
      this.#reserve = reserve;
    }
  }

  /** From now on what finds no space takes that of the reserve: see reserve.ts. Whoever only reads must not. */
  useReserve(reserve: Reserve): void {
    this.#reserve = reserve;
  }

  /** Gives up the reserve that may be used. False: none may, or there is none. */
  spendReserve(): boolean {
    return this.#reserve !== undefined && spendReserve(this.way, this.#reserve);
  }

  /** Makes the reserve what it is to be for a record of this size. Returns how much it lacks, in bytes. */
  keepReserve(): number {
    const wanted = reserveBytes(statSync(this.#db.name).size);
    return Math.max(0, 2 * wanted - keepReserve(this.way, wanted));
  }

  /** The record in memory, with all that the journals say: for who only reads, where nothing can be written. To be closed before this one. */
  foldedCopy(): MonitorRecord {
    return this.#guarded('copying the record', () => {
      const bytes = this.#db.transaction(() => {
        ownership.readOwnership(this.#db);
        return this.#db.serialize();
      })();
      const db = new SqliteDatabase(bytes);
      foldJournals(db, this.way);
      return new MonitorRecord(db, this.#held, this.#machine, this.#busyMs, this.#stands, true);
    });
  }

  /** The database as a file would have it; in `exclusively` nobody else changes it meanwhile. */
  bytes(): Buffer {
    return this.#guarded('copying the record', () => this.#db.serialize());
  }

  /** `exclusively`, as long as the epoch lasts; undefined afterwards, when what would be written is another grace's. */
  whileEpochLasts<T>(what: string, epoch: number, write: () => T): T | undefined {
    return this.exclusively(what, () => (this.ownership().epoch === epoch ? write() : undefined));
  }

  #identity(node: string): ownership.NodeIdentity {
    return { node, machine: this.#machine };
  }

  /** For `guarded` within `guarded`: only as a whole can it be tried again. */
  #depth = 0;

  #guarded<T>(what: string, action: () => T): T {
    this.#depth += 1;
    try {
      return this.#once(what, action);
    } catch (error) {
      if (this.#depth === 1 && isFull(error) && this.spendReserve()) return this.#once(what, action);
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  #once<T>(what: string, action: () => T): T {
    const use = () => {
      // Whoever began it has asked, and asks again at its end; on a cluster file system each time is a dozen questions to every server.
      if (this.#db.inTransaction) return action();
      this.#stands.assertInPlace();
      this.#stands.assertNotMoved();
      // SQLite looks for a hot journal at the start of each transaction, not only when it opens.
      assertNoSuperJournal(this.#db.name);
      const result = action();
      this.#stands.assertInPlace();
      return result;
    };
    return guarded(`${what} (${this.directory})`, use, {
      file: this.#db.name,
      busyMs: this.#busyMs,
    });
  }
}
