import type { Database } from 'better-sqlite3';

export type OperationKind = 'release' | 'takeover' | 'notify';

export interface OperationStart {
  readonly kind: OperationKind;
  readonly node: string;
  readonly epoch: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface OperationEnd {
  readonly outcome: 'done' | 'failed' | 'not-notified';
  readonly now: number;
  readonly detail: string;
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
  readonly steps: readonly StepRecord[];
}

/** The last ones of former epochs that are kept; those of the present epoch say what need not be done again. */
const keptOperations = 200;

/** Returns the operation's id. */
export function beginOperation(db: Database, { kind, node, epoch, now }: OperationStart): number {
  return db
    .transaction(() => {
      const { lastInsertRowid } = db
        .prepare('INSERT INTO operations (kind, node, epoch, began_at) VALUES (?, ?, ?, ?)')
        .run(kind, node, epoch, now);
      db.prepare('DELETE FROM operations WHERE id <= ? AND epoch < (SELECT max(epoch) FROM operations)').run(
        Number(lastInsertRowid) - keptOperations,
      );
      return Number(lastInsertRowid);
    })
    .immediate();
}

export function recordStep(db: Database, id: number, step: StepRecord): void {
  db.prepare(
    'INSERT INTO steps (operation, step, fsid, state, ms, detail, at) VALUES (?, ?, ?, ?, ?, ?, ?)',
  ).run(id, step.step, step.fsid ?? null, step.state, step.ms, step.detail, step.at);
}

export function endOperation(db: Database, id: number, { outcome, now, detail }: OperationEnd): void {
  db.prepare('UPDATE operations SET ended_at = ?, outcome = ?, detail = ? WHERE id = ?').run(
    now,
    outcome,
    detail,
    id,
  );
}

/** The latest one, by any node, with its steps in order. */
export function lastOperation(db: Database): Operation | undefined {
  return db.transaction(() => {
    const found = db
      .prepare<[], Nullable<Omit<Operation, 'steps'>>>(
        `SELECT id, kind, node, epoch, began_at AS startedAt, ended_at AS endedAt, outcome, detail
         FROM operations ORDER BY id DESC LIMIT 1`,
      )
      .get();
    if (found === undefined) return undefined;
    const steps = db
      .prepare<[number], Nullable<StepRecord>>(
        'SELECT step, fsid, state, ms, detail, at FROM steps WHERE operation = ? ORDER BY id',
      )
      .all(found.id);
    return {
      ...found,
      endedAt: found.endedAt ?? undefined,
      outcome: found.outcome ?? undefined,
      detail: found.detail ?? undefined,
      steps: steps.map((step) => ({ ...step, fsid: step.fsid ?? undefined })),
    };
  })();
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
