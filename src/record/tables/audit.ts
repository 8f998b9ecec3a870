import type { Database } from 'better-sqlite3';

/** What the record knows of the last grace, for the comparison at its end. */
export interface Audit {
  /** True: the address was released, and what was held then is known. False: its owner crashed, or served it before. */
  readonly planned: boolean;
  /** Why more may have been held than was noted at the release, as a clause; undefined: nothing more. Only where it was planned. */
  readonly noteGap: string | undefined;
  /** Graces begun in this epoch. In a second one what clients have locked since the first is not known. */
  readonly graces: number;
  /** Milliseconds since 1970: when the grace began; undefined before the first. */
  readonly beganAt: number | undefined;
  /** When it was compared. */
  readonly comparedAt: number | undefined;
}

/** A client on the list of the last grace. */
export interface AuditedClient {
  readonly client: string;
  /** Whether it was notified that the server rebooted. */
  readonly notified: boolean;
  /** Whether statd of the node has announced it since the grace began: lockd saw it ask for a lock, reclaims included. */
  readonly back: boolean;
}

/** claim(), in its transaction and before the owner changes: what was noted counts only after a release. */
export function claimAudit(db: Database, released: boolean): void {
  const noted = db.prepare<[], number | null>('SELECT noted_epoch FROM audit').pluck().get();
  const planned = released && noted !== null;
  if (!planned) db.prepare('DELETE FROM held_locks').run();
  db.prepare('UPDATE audit SET planned = ?, noted_epoch = NULL, graces = 0, compared_at = NULL').run(
    planned ? 1 : 0,
  );
}

/**
 * beginGrace(), in its transaction and before the list is made anew, and whom statd announced forgotten. A second grace of one epoch, after clients were notified
 * in the first, comes after the address was served: what was held at the release says nothing any more.
 */
export function beginAudit(db: Database, now: number): void {
  const served = db
    .prepare<[], number>(
      'SELECT 1 FROM audit WHERE graces > 0 AND EXISTS (SELECT 1 FROM notifications WHERE told_at IS NOT NULL)',
    )
    .get();
  const planned = db.prepare<[], number>('SELECT planned FROM audit').pluck().get() === 1;
  if (served !== undefined || !planned) {
    // Also what a release noted that was broken off and taken back: the next release notes anew.
    db.prepare('DELETE FROM held_locks').run();
    db.prepare('UPDATE audit SET planned = 0, noted_epoch = NULL').run();
  }
  db.prepare('UPDATE held_locks SET reclaimed_at = NULL').run();
  db.prepare('UPDATE audit SET graces = graces + 1, began_at = ?, compared_at = NULL').run(now);
}

export function readAudit(db: Database): Audit {
  const row = db
    .prepare<
      [],
      { planned: number; gap: string | null; graces: number; began: number | null; compared: number | null }
    >('SELECT planned, note_gap AS gap, graces, began_at AS began, compared_at AS compared FROM audit')
    .get();
  return {
    planned: row?.planned === 1,
    noteGap: row?.gap ?? undefined,
    graces: row?.graces ?? 0,
    beganAt: row?.began ?? undefined,
    comparedAt: row?.compared ?? undefined,
  };
}

export interface AuditCounts {
  readonly listed: number;
  readonly notified: number;
  /** Of those notified. */
  readonly back: number;
}

/** How many clients readAuditedClients() would return. */
export function countAuditedClients(db: Database, node: string): AuditCounts {
  const counts = db
    .prepare<[string], AuditCounts>(
      `SELECT count(*) AS listed, count(told_at) AS notified,
         count(CASE WHEN told_at IS NOT NULL AND EXISTS (
           SELECT 1 FROM announcements WHERE announcements.client = notifications.client AND node = ?) THEN 1 END) AS back
       FROM notifications`,
    )
    .get(node);
  return counts ?? { listed: 0, notified: 0, back: 0 };
}

/** Every client on the list of the last grace, sorted. Fold first. */
export function readAuditedClients(db: Database, node: string): AuditedClient[] {
  return db
    .prepare<[string], { client: string; notified: number; back: number }>(
      `SELECT client, told_at IS NOT NULL AS notified,
         EXISTS (SELECT 1 FROM announcements WHERE announcements.client = notifications.client AND node = ?) AS back
       FROM notifications ORDER BY client`,
    )
    .all(node)
    .map(({ client, notified, back }) => ({ client, notified: notified === 1, back: back === 1 }));
}
