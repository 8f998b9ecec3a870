import { constants, fstatSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { journalTables, type JournalTables, type Session } from '../tables/journal-tables.js';
import { firstLine, journalNodes, withJournal } from './journal-file.js';
import { readOwnership } from '../tables/ownership.js';
import { readAt } from '../safe-files/files.js';
import {
  chunkSize,
  epochOfFirstLine,
  foreignLength,
  parseJournal,
  type JournalEntry,
  type JournalLine,
} from './journal.js';

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

/**
 * Folds what the journals say since the last fold into the table of clients, each event exactly once: the
 * offset moves in the same transaction, and the write lock of the database admits one folding process at a time.
 */
export function foldJournals(db: Database, directory: string): FoldReport {
  const tables = journalTables(db);
  // Nothing new is the common case, and then no reader should wait for the write lock.
  if (!journalNodes(directory).some((node) => hasMore(tables, directory, node))) return { journals: [] };
  return db
    .transaction(() => {
      const { epoch } = readOwnership(db);
      const journals = journalNodes(directory).map((node) => foldJournal(tables, directory, node, epoch));
      if (journals.some(({ bad }) => bad > 0)) tables.pruneBadLines();
      return { journals: journals.filter(({ events, bad }) => events + bad > 0) };
    })
    .immediate();
}

function hasMore(tables: JournalTables, directory: string, node: string): boolean {
  const more = withJournal(directory, node, constants.O_RDONLY, (fd) => {
    const saved = tables.read(node);
    return saved?.generation !== firstLine(fd, generationSize) || saved?.readTo !== fstatSync(fd).size;
  });
  return more === true;
}

function foldJournal(tables: JournalTables, directory: string, node: string, epoch: number): FoldedJournal {
  const fold = new JournalFold(tables, node, epoch);
  withJournal(directory, node, constants.O_RDONLY, (fd) => fold.run(fd));
  return { node, events: fold.events, bad: fold.bad };
}

class JournalFold {
  events = 0;
  bad = 0;
  readonly #tables: JournalTables;
  readonly #node: string;
  /** Of the owner now. */
  readonly #epoch: number;
  #session: Session | undefined;
  /** Up to here, in bytes, nothing is forgotten: see #startAgain. */
  #addOnlyTo = 0;
  /** Whether another node has taken the address over since this journal was begun. */
  #isStale = false;

  constructor(tables: JournalTables, node: string, epoch: number) {
    this.#tables = tables;
    this.#node = node;
    this.#epoch = epoch;
  }

  run(fd: number): void {
    const generation = firstLine(fd, generationSize);
    if (generation === undefined) return;
    this.#isStale = (epochOfFirstLine(generation) ?? this.#epoch) < this.#epoch;
    const saved = this.#tables.read(this.#node);
    const sameFile = saved?.generation === generation;
    this.#session = sameFile ? saved.session : undefined;
    let readTo = sameFile ? saved.readTo : 0;
    const { size } = fstatSync(fd);
    if (size < readTo) {
      // Somebody cut it. To read it again from the start would repeat a del-client and undo the add-client
      // that had followed it in what was cut off.
      this.#putAside(size, `cut from ${readTo} to ${size} bytes by somebody else`);
      readTo = size;
    } else if (readTo > 0 && readAt(fd, readTo - 1, 1)[0] !== 0x0a) {
      readTo = this.#startAgain(readTo);
    }
    for (;;) {
      const bytes = readAt(fd, readTo, chunkSize);
      const { entries, consumed } = parseJournal(bytes);
      for (const entry of entries) this.#apply(readTo, entry);
      readTo += consumed;
      if (consumed === 0 && bytes.length === chunkSize) readTo += this.#skipForeign(bytes, readTo);
      else if (consumed === 0 || bytes.length < chunkSize) break;
    }
    this.#tables.write(this.#node, { generation, readTo, session: this.#session });
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

  /** A chunk without any newline. */
  #skipForeign(bytes: Buffer, offset: number): number {
    const length = foreignLength(bytes);
    this.#putAside(offset, bytes.toString('latin1', 0, length));
    return length;
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
      if (line.node !== this.#node) return false;
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
      for (const fsid of line.fsid === undefined ? session.fsids : [line.fsid]) {
        this.#tables.addClient({ client, fsid, node: this.#node, since, myName });
      }
      this.#tables.announced(client, this.#node, since);
    } else if (!this.#isStale) {
      // Only what this node added, and only while it has the address: lockd's SM_UNMON may come days late, when another
      // node has the client. What a node wrote before it lost the address was folded at the claim.
      this.#tables.removeClient(client, this.#node, line.fsid);
    }
    return true;
  }

  #putAside(place: number, text: string): void {
    this.bad += 1;
    this.#tables.addBadLine(this.#node, place, text);
  }
}
