import type { Database } from 'better-sqlite3';
import { noteLost } from './operations.js';

/**
 * - lost: a lock that was held at the release and was not reclaimed, while `clients` were not to be heard of
 * - not-reclaimed: such a lock, but everybody is there: its client let go of it meanwhile, or its reclaim was refused
 * - silent: after a crash, a client that was notified, has asked for nothing since, and does not answer any more
 * - idle: the same, but it answers: a client that has nothing to reclaim
 * - unseen: as idle, but the callout was not seen to record, so that nobody knows what it asked for
 * - not-notified: a client that could not be notified, so that it has reclaimed nothing
 */
export type Verdict = 'lost' | 'not-reclaimed' | 'silent' | 'unseen' | 'idle' | 'not-notified';

export interface FoundLock {
  readonly fsid: string;
  readonly inode: number;
  readonly mode: 'READ' | 'WRITE';
  readonly start: string;
  readonly end: string;
}

export interface Finding {
  readonly verdict: Verdict;
  readonly lock?: FoundLock;
  /** The file, as the server names it; else why its name is not known. */
  readonly path?: string;
  /** The client that is meant. Of a lock: each client that may have lost it; none where none can be named. */
  readonly clients: readonly string[];
}

/** A finding in the record. Times are in ms since 1970. */
export interface RecordedFinding extends Finding {
  readonly epoch: number;
  readonly at: number;
  readonly acknowledgedAt: number | undefined;
}

/** As many as are kept; the newest, and of one audit the gravest. */
const keptFindings = 10_000;

const gravity: readonly Verdict[] = ['lost', 'silent', 'not-notified', 'not-reclaimed', 'unseen', 'idle'];

/** Ends the audit of a grace: once, by whoever compares first. `lost`: how many of the findings are losses. Returns false where it was done before. */
export function closeAudit(
  db: Database,
  {
    epoch,
    now,
    findings,
    lost,
  }: {
    readonly epoch: number;
    readonly now: number;
    readonly findings: readonly Finding[];
    readonly lost: number;
  },
): boolean {
  const add = db.prepare(
    `INSERT INTO findings (epoch, verdict, fsid, inode, mode, first, last, path, clients, suspects, at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const addList = db.prepare('INSERT INTO suspects (clients) VALUES (?)');
  /** By the list itself: all locks of an audit have the same one. */
  const ids = new Map<readonly string[], number>();
  const listId = (clients: readonly string[]): number => {
    const id = ids.get(clients) ?? Number(addList.run(JSON.stringify(clients)).lastInsertRowid);
    ids.set(clients, id);
    return id;
  };
  return db
    .transaction(() => {
      const { changes } = db.prepare('UPDATE audit SET compared_at = ? WHERE compared_at IS NULL').run(now);
      if (changes === 0) return false;
      noteLost(db, epoch, lost);
      for (const { verdict, lock, path, clients } of gravest(findings)) {
        const { fsid, inode, mode, start, end } = lock ?? {};
        const place = [fsid, inode, mode, start, end, path].map((value) => value ?? null);
        const named = clients.length > 1 ? ['[]', listId(clients)] : [JSON.stringify(clients), null];
        add.run(epoch, verdict, ...place, ...named, now);
      }
      db.prepare('DELETE FROM findings WHERE id <= (SELECT max(id) FROM findings) - ?').run(keptFindings);
      db.prepare(
        'DELETE FROM suspects WHERE id NOT IN (SELECT suspects FROM findings WHERE suspects > 0)',
      ).run();
      return true;
    })
    .immediate();
}

/** Those that are kept, in their order. */
function gravest(findings: readonly Finding[]): readonly Finding[] {
  if (findings.length <= keptFindings) return findings;
  return gravity
    .flatMap((verdict) => findings.filter((one) => one.verdict === verdict))
    .slice(0, keptFindings);
}

interface Row {
  readonly epoch: number;
  readonly verdict: Verdict;
  readonly fsid: string | null;
  readonly inode: number | null;
  readonly mode: 'READ' | 'WRITE' | null;
  readonly start: string | null;
  readonly end: string | null;
  readonly path: string | null;
  readonly clients: string;
  readonly suspects: number | null;
  readonly at: number;
  readonly acknowledgedAt: number | null;
}

/** Oldest first. Those of one audit that have several clients have one and the same list. */
export function readFindings(db: Database): RecordedFinding[] {
  const lists = new Map(
    db
      .prepare<[], { id: number; clients: string }>('SELECT id, clients FROM suspects')
      .all()
      .map(({ id, clients }) => [id, listIn(clients)]),
  );
  return db
    .prepare<[], Row>(
      `SELECT epoch, verdict, fsid, inode, mode, first AS start, last AS end, path, clients, suspects, at,
         acknowledged_at AS acknowledgedAt FROM findings ORDER BY id`,
    )
    .all()
    .map(
      ({ epoch, verdict, fsid, inode, mode, start, end, path, clients, suspects, at, acknowledgedAt }) => ({
        epoch,
        verdict,
        ...(fsid === null || inode === null || mode === null || start === null || end === null
          ? {}
          : { lock: { fsid, inode, mode, start, end } }),
        ...(path === null ? {} : { path }),
        clients: (suspects === null ? undefined : lists.get(suspects)) ?? listIn(clients),
        at,
        acknowledgedAt: acknowledgedAt ?? undefined,
      }),
    );
}

/** A JSON list of names, as closeAudit has written it. */
function listIn(json: string): string[] {
  const value: unknown = JSON.parse(json);
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

/** Marks all findings as read by an administrator. Returns how many there were. `now` is in ms. */
export function acknowledgeFindings(db: Database, now: number): number {
  return db.prepare('UPDATE findings SET acknowledged_at = ? WHERE acknowledged_at IS NULL').run(now).changes;
}
