import type { Database } from 'better-sqlite3';
import { beginAudit } from './audit.js';

/** The last NSM state of this address; undefined before its first grace. */
export function readNsmState(db: Database): number | undefined {
  const state = db.prepare<[], number>('SELECT state FROM nsm').pluck().get();
  return state === undefined || state === 0 ? undefined : state;
}

/**
 * Begins a grace: returns a new NSM state, and makes the list of whom it is owed to, every recorded client.
 *
 * The state is odd (the server is up: X/Open XNFS, SM_NOTIFY), fits an unsigned int, and was never used for this
 * address by any node: above the last one, however the clock jumped; and at least the time in seconds since 1970, so
 * that a database restored from an old backup does not begin again (for that, the clock must be right). `now` is in ms.
 */
export function beginGrace(db: Database, now: number): number {
  return db
    .transaction(() => {
      const state = nextState(readNsmState(db) ?? 0, now);
      db.prepare('UPDATE nsm SET state = ?').run(state);
      beginAudit(db, now);
      db.prepare('DELETE FROM notifications').run();
      db.prepare(
        'INSERT INTO notifications (client, state) SELECT DISTINCT client, ? FROM clients WHERE true',
      ).run(state);
      return state;
    })
    .immediate();
}

function nextState(last: number, now: number): number {
  const next = Math.max(last + 1, Math.floor(now / 1000));
  return next % 2 === 0 ? next + 1 : next;
}

/** Those still owed the latest state, sorted, and that state. */
export function readUntold(db: Database): { clients: string[]; state: number | undefined } {
  const rows = db
    .prepare<[], { client: string; state: number }>(
      'SELECT client, state FROM notifications WHERE told_at IS NULL ORDER BY client',
    )
    .all();
  return { clients: rows.map(({ client }) => client), state: rows[0]?.state };
}

/** Strikes off those who answered to `state`; an answer to an earlier state counts for nothing. `now` is in ms. */
export function markTold(db: Database, clients: readonly string[], state: number, now: number): void {
  const mark = db.prepare(
    'UPDATE notifications SET told_at = ?, reason = NULL WHERE client = ? AND state = ? AND told_at IS NULL',
  );
  db.transaction(() => {
    for (const client of clients) mark.run(now, client, state);
  }).immediate();
}

export interface NotifyCounts {
  readonly told: number;
  readonly untold: number;
}

export function countNotified(db: Database): NotifyCounts {
  const row = db
    .prepare<[], NotifyCounts>(
      'SELECT count(told_at) AS told, count(*) - count(told_at) AS untold FROM notifications',
    )
    .get();
  return row ?? { told: 0, untold: 0 };
}
