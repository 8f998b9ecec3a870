import { createHash } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';

/** One row that was added to, or taken from, the table of clients, by whichever process. */
export interface Change {
  readonly op: 'add' | 'del';
  readonly client: string;
  readonly fsid: string;
  readonly node: string;
  /** How far the journals were folded before: the same for all changes of one fold of one journal. */
  readonly progress: string;
}

/** Triggers in monitors.db itself, so that what any process commits is written down once, in the order of the commits. */
export function installWitness(recordDirectory: string): void {
  const change = (op: string, row: string) => `
    CREATE TRIGGER witness_${op} AFTER ${op === 'add' ? 'INSERT' : 'DELETE'} ON clients BEGIN
      INSERT INTO witness_changes (op, client, fsid, node, progress) VALUES ('${op}', ${row}.client, ${row}.fsid, ${row}.node,
        (SELECT group_concat(node || generation || read_to) FROM journals));
    END;`;
  const moment = (table: string) => `
    CREATE TRIGGER witness_${table} AFTER UPDATE ON ${table} BEGIN
      INSERT INTO witness_moments SELECT owner, epoch, released, state FROM ownership, nsm;
    END;`;
  withDatabase(recordDirectory, (db) =>
    db.exec(`
      CREATE TABLE witness_changes (id INTEGER PRIMARY KEY, op, client, fsid, node, progress);
      CREATE TABLE witness_moments AS SELECT owner, epoch, released, state FROM ownership, nsm;
      ${change('add', 'NEW')} ${change('del', 'OLD')} ${moment('ownership')} ${moment('nsm')}`),
  );
}

/** Every change, in the order of the commits. */
export function changes(recordDirectory: string): Change[] {
  return withDatabase(recordDirectory, (db) =>
    db.prepare<[], Change>('SELECT op, client, fsid, node, progress FROM witness_changes ORDER BY id').all(),
  );
}

/** Each "owner epoch released state" that was ever so. */
export function moments(recordDirectory: string): Set<string> {
  return withDatabase(
    recordDirectory,
    (db) =>
      new Set(
        db
          .prepare<[], string>(
            "SELECT owner || ' ' || epoch || ' ' || released || ' ' || state FROM witness_moments WHERE owner IS NOT NULL",
          )
          .pluck()
          .all(),
      ),
  );
}

function withDatabase<T>(directory: string, use: (db: Database.Database) => T): T {
  const db = new Database(join(directory, 'monitors.db'));
  try {
    return use(db);
  } finally {
    db.close();
  }
}

/** The states that the table of clients had whenever a fold was committed, and what its clients were. */
export class History {
  /** By the state: after how many changes it was. */
  readonly #after = new Map<bigint, number[]>();

  constructor(all: readonly Change[]) {
    let state = 0n;
    this.#note(state, 0);
    for (const [index, { op: _, progress, ...row }] of all.entries()) {
      state ^= hashOf(row);
      // Between two changes of one fold of one journal no reader may look.
      if (all[index + 1]?.progress !== progress) this.#note(state, index + 1);
    }
  }

  #note(state: bigint, changesBefore: number): void {
    this.#after.set(state, [...(this.#after.get(state) ?? []), changesBefore]);
  }

  /** After how many changes the record was as somebody has read it, at the latest; undefined: never. */
  find(rows: readonly Pick<Change, 'client' | 'fsid' | 'node'>[]): number | undefined {
    return this.#after.get(rows.reduce((state, row) => state ^ hashOf(row), 0n))?.at(-1);
  }
}

/** The exclusive or of the hashes of all rows stands for the set of them. */
function hashOf({ client, fsid, node }: Pick<Change, 'client' | 'fsid' | 'node'>): bigint {
  return createHash('sha256').update(`${client} ${fsid} ${node}`).digest().readBigUInt64BE();
}
