import { constants, fstatSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { journalTables, type JournalTables, mostFsids, type Session } from '../tables/journal-tables.js';
import { firstLine, journalNodes, journalPath, withJournal } from './journal-file.js';
import { type Gap, gapIn, JournalReading } from './journal-reading.js';
import { readOwnership } from '../tables/ownership.js';
import { readAt } from '../safe-files/files.js';
import { epochOfFirstLine, type JournalEntry, type JournalLine } from './journal.js';

/** What a fold found, per journal that had anything new. */
export interface FoldReport {
  readonly journals: readonly FoldedJournal[];
}

export interface FoldedJournal {
  readonly node: string;
  /** Lines used. */
  readonly events: number;
  /** Lines kept aside in bad_lines. */
  readonly bad: number;
}

/** Of the first line; enough for its node, epoch, wall and boot, which no two files share. */
const generationSize = 256;

/** What of a journal is folded in one transaction, in bytes: some seconds, in which nobody else can write to the record. */
const pieceSize = 8 << 20;

/**
 * Folds what the journals say since the last fold into the table of clients, each event exactly once: the
 * offset moves in the same transaction, and the write lock of the database admits one folding process at a time.
 *
 * Lines written after a fold has begun are left to the next fold, so that a fast writer does not hold it up. A journal that has grown
 * much is folded in pieces, each a transaction of its own where this is not part of a larger one: what was done stays done.
 */
export function foldJournals(db: Database, directory: string): FoldReport {
  const tables = journalTables(db);
  // Nothing new is the common case, and then no reader should wait for the write lock.
  const folds = journalNodes(directory).flatMap((node) => {
    const end = endIfMore(tables, directory, node);
    return end === undefined ? [] : [new JournalFold(tables, directory, node, end)];
  });
  for (const fold of folds) {
    const piece = db.transaction(() => {
      const { epoch } = readOwnership(db);
      const isDone = fold.piece(epoch);
      if (fold.bad > 0) tables.keepBadLines();
      return isDone;
    });
    while (!piece.immediate());
  }
  const journals = folds.map(({ node, events, bad }) => ({ node, events, bad }));
  return { journals: journals.filter(({ events, bad }) => events + bad > 0) };
}

/** Notes that all that is in the journal of `node` is in the tables, below a first line that says `session`. In a transaction. */
export function noteFolded(db: Database, directory: string, node: string, session: Session): void {
  withJournal(directory, node, constants.O_RDONLY, (fd) => {
    const generation = firstLine(fd, generationSize);
    if (generation === undefined) return;
    const { size: readTo } = fstatSync(fd);
    journalTables(db).write(node, { generation, readTo, session, passedOver: false });
  });
}

/** How long the journal is now; undefined: nothing in it is new. */
function endIfMore(tables: JournalTables, directory: string, node: string): number | undefined {
  return withJournal(directory, node, constants.O_RDONLY, (fd) => {
    const { size } = fstatSync(fd);
    const saved = tables.read(node);
    const isNew = saved?.generation !== firstLine(fd, generationSize) || saved?.readTo !== size;
    return isNew ? size : undefined;
  });
}

class JournalFold {
  events = 0;
  bad = 0;
  readonly node: string;
  readonly #tables: JournalTables;
  readonly #directory: string;
  /** Its size when this fold began. */
  readonly #end: number;
  #session: Session | undefined;
  /** Up to here, in bytes, nothing is forgotten: see #startAgain. */
  #addOnlyTo = 0;
  #bounds: { readonly gap: Gap | undefined } | undefined;
  /** Whether another node has taken the address over since this journal was begun. */
  #isStale = false;

  constructor(tables: JournalTables, directory: string, node: string, end: number) {
    this.#tables = tables;
    this.#directory = directory;
    this.node = node;
    this.#end = end;
  }

  /** Folds a piece, as of `epoch`, the owner's. In a transaction. True: that was the last one. */
  piece(epoch: number): boolean {
    const isDone = withJournal(this.#directory, this.node, constants.O_RDONLY, (fd) => this.#read(fd, epoch));
    return isDone ?? true;
  }

  #read(fd: number, epoch: number): boolean {
    const generation = firstLine(fd, generationSize);
    if (generation === undefined) return true;
    this.#isStale = (epochOfFirstLine(generation) ?? epoch) < epoch;
    const saved = this.#tables.read(this.node);
    const sameFile = saved?.generation === generation;
    this.#session = sameFile ? saved.session : undefined;
    let readTo = sameFile ? saved.readTo : 0;
    const { size } = fstatSync(fd);
    if (size < readTo) {
      // Somebody cut it. To read it again from the start would repeat a del-client and undo the add-client
      // that had followed it in what was cut off.
      this.#putAside(size, `cut from ${readTo} to ${size} bytes by somebody else`);
      readTo = size;
    } else if (readTo > 0 && saved?.passedOver !== true && readAt(fd, readTo - 1, 1)[0] !== 0x0a) {
      readTo = this.#startAgain(readTo);
    }
    // Another process may have read further meanwhile, or another file may be there.
    const end = Math.max(readTo, Math.min(this.#end, size));
    // As it was when this fold began: else it would move on with each piece, and all would be read after all.
    this.#bounds ??= { gap: gapIn(readTo, end) };
    const path = journalPath(this.#directory, this.node);
    const reading = new JournalReading(fd, path, { from: readTo, end, ...this.#bounds });
    // Only as a whole is it known what of it was read before.
    const stop = this.#addOnlyTo > 0 ? Number.POSITIVE_INFINITY : readTo + pieceSize;
    let passedOver = sameFile && saved.passedOver;
    let isDone = false;
    while (!isDone && reading.offset < stop) {
      const chunk = reading.next();
      isDone = chunk === undefined;
      if (chunk === undefined) break;
      passedOver = 'passedOver' in chunk;
      if ('passedOver' in chunk) this.#putAside(chunk.offset, chunk.passedOver);
      else for (const entry of chunk.entries) this.#apply(chunk.offset, entry);
    }
    this.#tables.write(this.node, { generation, readTo: reading.offset, session: this.#session, passedOver });
    return isDone;
  }
  /**
   * What is read ends with a newline; where there is none, somebody has cut the file, and it has grown since beyond what was
   * read: the events between are unread, and nobody knows from where on. So all of it is read again, but a del-client counts
   * only after where it was read to: to notify a client that has gone is harmless, to forget one that came back loses its locks.
   */
  #startAgain(readTo: number): number {
    this.#putAside(readTo, `cut by somebody else, and grown again beyond ${readTo} bytes`);
    this.#addOnlyTo = readTo;
    return 0;
  }

  #apply(base: number, { offset, text, line }: JournalEntry): void {
    if (line?.kind === 'del-client' && base + offset < this.#addOnlyTo) return;
    if (line !== undefined && this.#use(line)) this.events += 1;
    else this.#putAside(base + offset, text);
  }

  /** False if the line is well-formed, but means nothing here. */
  #use(line: JournalLine): boolean {
    if (line.kind === 'serving') {
      // Another node's journal under this name is a copy that somebody made.
      if (line.node !== this.node) return false;
      const { fsids, uptime, wall } = line;
      this.#session = { fsids, uptime, wall };
      return true;
    }
    const session = this.#session;
    if (session === undefined) return false;
    const { client, myName } = line;
    if (line.kind === 'recorded') {
      this.#tables.addClient({ client, fsid: line.fsid, node: line.node, since: line.since, myName });
    } else if (line.kind === 'add-client') {
      const since = session.wall + Math.max(0, Math.round((line.uptime - session.uptime) * 1000));
      for (const fsid of line.fsid === undefined ? session.fsids.slice(0, mostFsids) : [line.fsid]) {
        this.#tables.addClient({ client, fsid, node: this.node, since, myName });
      }
      this.#tables.announced(client, this.node, since);
    } else if (!this.#isStale) {
      // Only what this node added, and only while it has the address: lockd's SM_UNMON may come days late, when another
      // node has the client. What a node wrote before it lost the address was folded at the claim.
      this.#tables.removeClient(client, this.node, line.fsid);
    }
    return true;
  }

  #putAside(place: number, text: string): void {
    this.bad += 1;
    this.#tables.addBadLine(this.node, place, text);
  }
}
