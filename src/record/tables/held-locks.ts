import type { Database } from 'better-sqlite3';

/** A lock that the lock manager held for some client. Which client is nowhere to be read: in /proc/locks they are all lockd's. */
export interface HeldLock {
  readonly fsid: string;
  readonly inode: number;
  readonly mode: 'READ' | 'WRITE';
  /** First byte, and last byte or EOF, as /proc/locks has them. */
  readonly start: string;
  readonly end: string;
  /** 0, 1, ...: of several that are alike, as shared locks of several owners are. */
  readonly copy: number;
}

/**
 * A-1, with the address down: what was held, kept until the next takeover. Again in the same release it removes nothing, since
 * A-3 may have dropped the locks meanwhile.
 *
 * `gap` says why more may have been held than `locks`, as a clause; undefined: these are all. What the first note of a release
 * had whole stays whole, as long as no other lock turns up.
 */
export function noteHeldLocks(
  db: Database,
  epoch: number,
  locks: readonly HeldLock[],
  gap: string | undefined,
): void {
  db.transaction(() => {
    if (isNoted(db, epoch)) {
      addLater(db, locks);
      return;
    }
    db.prepare('DELETE FROM held_locks').run();
    db.prepare('UPDATE audit SET noted_epoch = ?, planned = 0, note_gap = ?').run(epoch, gap ?? null);
    addLocks(db, locks);
  }).immediate();
}

/** A-3, before anything is dropped: what has come since A-1 noted the locks of this release, if it did. Returns how many. */
export function noteLaterLocks(db: Database, epoch: number, locks: readonly HeldLock[]): number {
  return db.transaction(() => (isNoted(db, epoch) ? addLater(db, locks) : 0)).immediate();
}

function isNoted(db: Database, epoch: number): boolean {
  return db.prepare<[], number | null>('SELECT noted_epoch FROM audit').pluck().get() === epoch;
}

function addLater(db: Database, locks: readonly HeldLock[]): number {
  const added = addLocks(db, locks);
  if (added > 0) {
    const gap = 'locks were taken while it was being released';
    db.prepare('UPDATE audit SET note_gap = coalesce(note_gap, ?)').run(gap);
  }
  return added;
}

/** Returns how many were not there. */
function addLocks(db: Database, locks: readonly HeldLock[]): number {
  const add = db.prepare(
    'INSERT INTO held_locks (fsid, inode, mode, first, last, copy) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  return locks.reduce(
    (sum, { fsid, inode, mode, start, end, copy }) =>
      sum + add.run(fsid, inode, mode, start, end, copy).changes,
    0,
  );
}

/** What was held, and whether it has been seen reclaimed. */
export interface AuditedLock extends HeldLock {
  readonly reclaimed: boolean;
}

/** Sorted; those alike by their copy. */
export function readHeldLocks(db: Database): AuditedLock[] {
  return db
    .prepare<[], HeldLock & { readonly since: number | null }>(
      `SELECT fsid, inode, mode, first AS start, last AS end, copy, reclaimed_at AS since FROM held_locks
       ORDER BY fsid, inode, first, last, mode, copy`,
    )
    .all()
    .map(({ since, ...lock }) => ({ ...lock, reclaimed: since !== null }));
}

/** Once seen reclaimed, a lock stays so: what its client does with it later is its own business. `now` is in ms. */
export function markReclaimed(db: Database, locks: readonly HeldLock[], now: number): void {
  const mark = db.prepare(
    `UPDATE held_locks SET reclaimed_at = coalesce(reclaimed_at, ?)
     WHERE fsid = ? AND inode = ? AND mode = ? AND first = ? AND last = ? AND copy = ?`,
  );
  db.transaction(() => {
    for (const { fsid, inode, mode, start, end, copy } of locks)
      mark.run(now, fsid, inode, mode, start, end, copy);
  }).immediate();
}
