import type { Database } from 'better-sqlite3';
import { escapeBytes } from '../../names.js';

/** A client that would be notified at the next takeover. */
export interface RecordedClient {
  readonly client: string;
  readonly fsid: string;
  /** The node that recorded it. */
  readonly node: string;
  /** Milliseconds since 1970: when that node first did. */
  readonly since: number;
  /** The node's own name as its statd gave it; informative. */
  readonly myName: string | undefined;
}

/** What the last serving line said. */
export interface Session {
  readonly fsids: readonly string[];
  /** Seconds since boot, and the clock at that moment: ms since 1970. */
  readonly uptime: number;
  readonly wall: number;
}

/** How far a journal is folded. */
export interface JournalProgress {
  readonly generation: string;
  /** In bytes. */
  readonly readTo: number;
  readonly session: Session | undefined;
  /** What is right before `readTo` was passed over, and no line: see journal-reading.ts. */
  readonly passedOver: boolean;
}

export interface BadLine {
  /** The node whose journal it is. */
  readonly node: string;
  /** Byte offset in the journal as it was then. */
  readonly offset: number;
  /** Escaped, at most 200 bytes of it. */
  readonly text: string;
}

export type JournalTables = ReturnType<typeof journalTables>;

interface JournalRow {
  generation: string;
  read_to: number;
  fsids: string | null;
  uptime: number | null;
  wall: number | null;
  passed_over: number;
}

const keptBadLines = 1000;
/** As much as is kept of each. */
const badLength = 200;

/** By client, fsid, node; one after another, as there may be a million. */
export function* readClients(db: Database): Generator<RecordedClient> {
  const rows = db
    .prepare<[], Omit<RecordedClient, 'myName'> & { myName: string | null }>(
      'SELECT client, fsid, node, since, my_name AS myName FROM clients ORDER BY client, fsid, node',
    )
    .iterate();
  for (const row of rows) yield { ...row, myName: row.myName ?? undefined };
}

/** Each counted once. */
export function countClients(db: Database): number {
  return db.prepare<[], number>('SELECT count(DISTINCT client) FROM clients').pluck().get() ?? 0;
}

/**
 * Of the file systems of an address a client that uses any of them is recorded for so many: statd's user may write a line that names
 * thousands. Who is notified does not depend on it.
 */
export const mostFsids = 64;

/** What a fold does to the database. Every call must be inside the fold's transaction, but for read. */
export function journalTables(db: Database) {
  const readJournal = db.prepare<[string], JournalRow>('SELECT * FROM journals WHERE node = ?');
  const writeJournal = db.prepare('INSERT OR REPLACE INTO journals VALUES (?, ?, ?, ?, ?, ?, ?)');
  const add = db.prepare('INSERT INTO clients VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING');
  const remove = db.prepare('DELETE FROM clients WHERE client = ? AND node = ?');
  const announce = db.prepare('INSERT INTO announcements VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
  const removeOne = db.prepare('DELETE FROM clients WHERE client = ? AND node = ? AND fsid = ?');
  const addBad = db.prepare('INSERT INTO bad_lines (node, place, text) VALUES (?, ?, ?)');
  const prune = db.prepare('DELETE FROM bad_lines WHERE id <= (SELECT max(id) FROM bad_lines) - ?');
  /** The newest; written by keepBadLines, as there may be millions that are not kept. */
  let bad: [node: string, place: number, text: string][] = [];
  return {
    read(node: string): JournalProgress | undefined {
      const row = readJournal.get(node);
      if (row === undefined) return undefined;
      const { fsids, uptime, wall } = row;
      const session =
        fsids === null || uptime === null || wall === null
          ? undefined
          : { fsids: fsids.split(','), uptime, wall };
      return { generation: row.generation, readTo: row.read_to, session, passedOver: row.passed_over === 1 };
    },
    write(node: string, { generation, readTo, session, passedOver }: JournalProgress): void {
      const fsids = session?.fsids.join(',') ?? null;
      const { uptime = null, wall = null } = session ?? {};
      writeJournal.run(node, generation, readTo, fsids, uptime, wall, passedOver ? 1 : 0);
    },
    /** True if it was not recorded; a repeated one keeps its `since`. */
    addClient({ client, fsid, node, since, myName }: RecordedClient): boolean {
      return add.run(client, fsid, node, since, myName ?? null).changes > 0;
    },
    /** statd began to monitor it. The time is that of the first since the grace began, in ms since 1970. */
    announced(client: string, node: string, at: number): void {
      announce.run(client, node, at);
    },
    removeClient(client: string, node: string, fsid: string | undefined): void {
      if (fsid === undefined) remove.run(client, node);
      else removeOne.run(client, node, fsid);
    },
    addBadLine(node: string, place: number, text: string): void {
      // A copy: a part of a string keeps the whole, which may be a megabyte.
      const start = Buffer.from(text.slice(0, badLength + 1), 'latin1').toString('latin1');
      bad.push([node, place, start]);
      if (bad.length >= 2 * keptBadLines) bad = bad.slice(-keptBadLines);
    },
    /** Once all are added. */
    keepBadLines(): void {
      for (const [node, place, text] of bad.slice(-keptBadLines))
        addBad.run(node, place, escapeBytes(text, badLength));
      bad = [];
      prune.run(keptBadLines);
    },
  };
}
