import type { Database } from 'better-sqlite3';

/** How `forced` begins where it was proved that the node is down. */
export const provedMark = 'fencing: ';

export type OperationKind = 'release' | 'takeover' | 'notify' | 'adopt';

export interface OperationStart {
  readonly kind: OperationKind;
  readonly node: string;
  readonly epoch: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** By whose word, or by which proof (provedMark), the address was taken from a node that had not released it; absent: none was needed. */
  readonly forced?: string | undefined;
}

export interface OperationEnd {
  readonly outcome: 'done' | 'failed' | 'not-notified';
  readonly now: number;
  readonly detail: string;
  /** Absent: nobody was to be notified, or it did not come to that. */
  readonly clients?: { readonly notified: number; readonly notNotified: number } | undefined;
}

export interface StepRecord {
  /** A-1 to B-5. */
  readonly step: string;
  readonly fsid?: string | undefined;
  readonly state: 'done' | 'skipped' | 'failed';
  /** How long it took. */
  readonly ms: number;
  readonly detail: string;
  /** Milliseconds since 1970: when it ended. */
  readonly at: number;
}

export interface Operation {
  readonly id: number;
  readonly kind: OperationKind;
  readonly node: string;
  readonly epoch: number;
  readonly startedAt: number;
  /** Undefined, as is the outcome: running, or interrupted. */
  readonly endedAt: number | undefined;
  readonly outcome: OperationEnd['outcome'] | undefined;
  readonly detail: string | undefined;
  /** By whose word the address was taken from a node that had not released it. */
  readonly forced: string | undefined;
  /** By which proof. */
  readonly fencing: string | undefined;
  /** See OperationEnd. */
  readonly notified: number | undefined;
  readonly notNotified: number | undefined;
  /** How many locks or clients the audit of its grace found lost; undefined: there was none, or not yet. */
  readonly lost: number | undefined;
  readonly steps: readonly StepRecord[];
}

/** How many are kept, the last ones, beside those that say what need not be done again. */
const keptOperations = 200;

/** Returns the operation's id. */
export function beginOperation(db: Database, { kind, node, epoch, now, forced }: OperationStart): number {
  return db
    .transaction(() => {
      const { lastInsertRowid } = db
        .prepare('INSERT INTO operations (kind, node, epoch, began_at, forced) VALUES (?, ?, ?, ?, ?)')
        .run(kind, node, epoch, now, forced ?? null);
      const id = Number(lastInsertRowid);
      db.prepare(`DELETE FROM operations WHERE id <= ? AND id NOT IN (${stillAsked})`).run(
        id - keptOperations,
      );
      return id;
    })
    .immediate();
}

/** Of the present epoch: what stepDone and firstReleaseAt answer from. For each step, and fsid, one operation that has done it is enough. */
const stillAsked = `
  SELECT operation FROM steps WHERE id IN (
    SELECT max(steps.id) FROM steps JOIN operations ON operations.id = steps.operation
    WHERE state = 'done' AND epoch = (SELECT max(epoch) FROM operations) GROUP BY step, fsid)
  UNION
  SELECT id FROM (
    SELECT id, min(began_at) FROM operations
    WHERE kind = 'release' AND epoch = (SELECT max(epoch) FROM operations))
  WHERE id IS NOT NULL`;

export function recordStep(db: Database, id: number, step: StepRecord): void {
  db.prepare(
    'INSERT INTO steps (operation, step, fsid, state, ms, detail, at) VALUES (?, ?, ?, ?, ?, ?, ?)',
  ).run(id, step.step, step.fsid ?? null, step.state, step.ms, step.detail, step.at);
}

export function endOperation(
  db: Database,
  id: number,
  { outcome, now, detail, clients }: OperationEnd,
): void {
  db.prepare(
    'UPDATE operations SET ended_at = ?, outcome = ?, detail = ?, notified = ?, not_notified = ? WHERE id = ?',
  ).run(now, outcome, detail, clients?.notified ?? null, clients?.notNotified ?? null, id);
}

/** What the audit of an epoch's last grace found lost, written beside the takeover that began it. */
export function noteLost(db: Database, epoch: number, lost: number): void {
  db.prepare(
    "UPDATE operations SET lost = ? WHERE id = (SELECT max(id) FROM operations WHERE kind = 'takeover' AND epoch = ?)",
  ).run(lost, epoch);
}

/** The latest one, by any node, with its steps in order. */
export function lastOperation(db: Database): Operation | undefined {
  return lastOperations(db, 1)[0];
}

/** The last `count` of them, by any node, oldest first, each with its steps in order. */
export function lastOperations(db: Database, count: number): Operation[] {
  const stepsOf = db.prepare<[number], Nullable<StepRecord>>(
    'SELECT step, fsid, state, ms, detail, at FROM steps WHERE operation = ? ORDER BY id',
  );
  const found = db.prepare<[number], Nullable<Omit<Operation, 'steps' | 'fencing'>>>(
    `SELECT id, kind, node, epoch, began_at AS startedAt, ended_at AS endedAt, outcome, detail, forced, notified,
       not_notified AS notNotified, lost FROM operations ORDER BY id DESC LIMIT ?`,
  );
  return db.transaction(() =>
    found
      .all(count)
      .toReversed()
      .map((row) => ({
        ...row,
        endedAt: row.endedAt ?? undefined,
        outcome: row.outcome ?? undefined,
        detail: row.detail ?? undefined,
        ...vouchedOf(row.forced),
        notified: row.notified ?? undefined,
        notNotified: row.notNotified ?? undefined,
        lost: row.lost ?? undefined,
        steps: stepsOf.all(row.id).map((step) => ({ ...step, fsid: step.fsid ?? undefined })),
      })),
  )();
}

function vouchedOf(forced: string | null): Pick<Operation, 'forced' | 'fencing'> {
  const isProved = forced?.startsWith(provedMark) === true;
  return { forced: isProved ? undefined : (forced ?? undefined), fencing: isProved ? forced : undefined };
}

/** Whether a takeover or release of this epoch has done the step, for this fsid or, without one, for any. */
export function stepDone(
  db: Database,
  {
    epoch,
    step,
    fsid,
  }: { readonly epoch: number; readonly step: string; readonly fsid?: string | undefined },
): boolean {
  const found = db
    .prepare<[number, string, string | null, string | null], number>(
      `SELECT 1 FROM steps JOIN operations ON operations.id = steps.operation
       WHERE epoch = ? AND step = ? AND state = 'done' AND (? IS NULL OR fsid = ?) LIMIT 1`,
    )
    .pluck()
    .get(epoch, step, fsid ?? null, fsid ?? null);
  return found !== undefined;
}

/** When the first release of an epoch was begun, ms since 1970; undefined: none was. */
export function firstReleaseAt(db: Database, epoch: number): number | undefined {
  const at = db
    .prepare<[number], number | null>(
      "SELECT min(began_at) FROM operations WHERE epoch = ? AND kind = 'release'",
    )
    .pluck()
    .get(epoch);
  return at ?? undefined;
}

/** As SQLite gives it: null for what is undefined. */
type Nullable<T> = {
  [K in keyof T]: undefined extends T[K] ? Exclude<T[K], undefined> | null : T[K];
};
