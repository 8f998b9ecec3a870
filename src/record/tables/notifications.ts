import type { Database } from 'better-sqlite3';
import { beginAudit } from './audit.js';
import { highestGiven, maxState, noteGiven } from '../safe-files/states-given.js';

/** The last NSM state of this address; undefined before its first grace. */
export function readNsmState(db: Database): number | undefined {
  const state = db.prepare<[], number>('SELECT state FROM nsm').pluck().get();
  return state === undefined || state === 0 ? undefined : state;
}

/**
 * Begins a grace: returns a new NSM state, and makes the list of whom it is owed to, every recorded client.
 *
 * The state is odd (the server is up: X/Open XNFS, SM_NOTIFY), a positive signed int, and was never used for this
 * address by any node: above the last one, however the clock jumped; above all that `directory`/nsm-states knows, so
 * that a database restored from an old backup does not begin again; and at least the time in seconds since 1970, so
 * that a restored directory does not either (for that, the clock must be right). `now` is in ms. `only`: of the recorded clients these alone,
 * beside those who are still to be notified: the others have kept their locks.
 */
export function beginGrace(db: Database, directory: string, now: number, only?: readonly string[]): number {
  return db
    .transaction(() => {
      const state = nextState(Math.max(lastState(db), highestGiven(directory)), now);
      noteGiven(directory, state);
      db.prepare('UPDATE nsm SET state = ?').run(state);
      beginAudit(db, now);
      if (only === undefined) makeList(db, state);
      else makeShortList(db, state, only);
      db.prepare('DELETE FROM announcements').run();
      return state;
    })
    .immediate();
}

/** A state as beginGrace gives it, for who notifies beside this record: noted, so that no grace is given it. Nobody's list changes. `now`: ms. */
export function reserveState(db: Database, directory: string, now: number): number {
  return db
    .transaction(() => {
      const state = nextState(Math.max(lastState(db), highestGiven(directory)), now);
      noteGiven(directory, state);
      return state;
    })
    .immediate();
}

/**
 * Who comes first, as there may be more records of the dead than a grace has time for:
 *
 * - 4: statd has announced it since the last grace began. Whoever holds a lock was: a reclaim is announced too. 5: and it answered then.
 * - 3: it answered the last SM_NOTIFY.
 * - 2, 1: it did neither, but had a place among these one or two graces ago, as where a takeover was stopped before its B-3.
 * - 0: nothing has been heard of it for longer.
 */
function makeList(db: Database, state: number): void {
  db.prepare(
    `INSERT INTO notifications (client, state, priority)
       SELECT client, ?, 4 * EXISTS (SELECT 1 FROM announcements WHERE announcements.client = recorded.client)
       FROM (SELECT DISTINCT client FROM clients) AS recorded WHERE true
     ON CONFLICT (client) DO UPDATE SET state = excluded.state, told_at = NULL, reason = NULL,
       priority = CASE
         WHEN excluded.priority > 0 THEN 4 + (told_at IS NOT NULL)
         WHEN told_at IS NOT NULL THEN 3
         ELSE max(0, min(2, priority - 1))
       END`,
  ).run(state);
  db.prepare('DELETE FROM notifications WHERE state <> ?').run(state);
}

/** Those named, and whoever is still owed the state before. */
function makeShortList(db: Database, state: number, only: readonly string[]): void {
  db.prepare('DELETE FROM notifications WHERE told_at IS NOT NULL').run();
  db.prepare('UPDATE notifications SET state = ?').run(state);
  const add = db.prepare(
    `INSERT INTO notifications (client, state, priority)
       SELECT DISTINCT client, ?, 4 FROM clients WHERE client = ?
     ON CONFLICT (client) DO UPDATE SET priority = max(priority, excluded.priority)`,
  );
  for (const client of only) add.run(state, client);
}

/** From this one on a client has been seen since the last grace began, or has answered in it. */
const seenPriority = 3;
const highestPriority = 5;

/**
 * July 2037. A clock that says more is not believed: after one such jump, no state would be left, and nobody could be
 * notified of this address any more. From here to maxState there is room for eight million takeovers.
 */
export const latestClock = 0x7f00_0000;

/** What was given before may be beyond maxState only where a version that believed any clock has written it. */
function lastState(db: Database): number {
  const last = readNsmState(db) ?? 0;
  return last > maxState ? 0 : last;
}

function nextState(last: number, now: number): number {
  const seconds = Math.floor(now / 1000);
  const next = Math.max(last + 1, seconds > latestClock ? 0 : seconds);
  const odd = next % 2 === 0 ? next + 1 : next;
  // A state that was used long ago is better than one that cannot be sent.
  return odd > maxState ? 1 : odd;
}

/** The clients still to be notified of the latest state, in the order in which they are to be, else sorted; and that state. */
export function readToNotify(db: Database): { clients: string[]; state: number | undefined } {
  const rows = db
    .prepare<[], [client: string, state: number, priority: number]>(
      'SELECT client, state, priority FROM notifications WHERE told_at IS NULL ORDER BY client',
    )
    .raw()
    .iterate();
  const lists: string[][] = Array.from({ length: highestPriority + 1 }, () => []);
  let last: number | undefined;
  for (const [client, state, priority] of rows) {
    last = state;
    lists[priority]?.push(client);
  }
  return { clients: lists.toReversed().flat(), state: last };
}

/** How many of these, the first ones, have been seen of late. */
export function countSeen(db: Database): number {
  const sql = 'SELECT count(*) FROM notifications WHERE told_at IS NULL AND priority >= ?';
  return db.prepare<[number], number>(sql).pluck().get(seenPriority) ?? 0;
}

/** Strikes off those who answered to `state`; an answer to an earlier state counts for nothing. `now` is in ms. */
export function markNotified(db: Database, clients: readonly string[], state: number, now: number): void {
  const mark = db.prepare(
    'UPDATE notifications SET told_at = ?, reason = NULL WHERE client = ? AND state = ? AND told_at IS NULL',
  );
  db.transaction(() => {
    for (const client of clients) mark.run(now, client, state);
  }).immediate();
}

export interface NotifyCounts {
  readonly notified: number;
  readonly notNotified: number;
}

export function countNotified(db: Database): NotifyCounts {
  const row = db
    .prepare<[], NotifyCounts>(
      'SELECT count(told_at) AS notified, count(*) - count(told_at) AS notNotified FROM notifications',
    )
    .get();
  return row ?? { notified: 0, notNotified: 0 };
}
