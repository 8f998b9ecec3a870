import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import Database from 'better-sqlite3';

const effects = [
  'openSync',
  'closeSync',
  'readSync',
  'writeSync',
  'fchmodSync',
  'fchownSync',
  'fsyncSync',
  'fdatasyncSync',
  'linkSync',
  'renameSync',
  'rmSync',
  'mkdirSync',
  'chmodSync',
] as const;

/**
 * From now on `moment` is called, with its number from 1, before and after each effect of this process: calls of the file
 * system and statements of SQLite, BEGIN and COMMIT included. What it does itself does not count.
 * Returns the function that ends it.
 */
export function atEveryMoment(moment: (number: number) => void): () => void {
  let count = 0;
  let inside = false;
  const reached = () => {
    if (inside) return;
    count += 1;
    inside = true;
    try {
      moment(count);
    } finally {
      inside = false;
    }
  };
  const db = new Database(':memory:');
  const statements: unknown = Object.getPrototypeOf(db.prepare('SELECT 1'));
  db.close();
  if (typeof statements !== 'object' || statements === null) throw new Error('statements have no prototype');
  const undo = [...effects.map((name) => patch(fs, name, reached)), patch(statements, 'run', reached)];
  syncBuiltinESMExports();
  return () => {
    for (const restore of undo) restore();
    syncBuiltinESMExports();
  };
}

function patch(object: object, name: string, reached: () => void): () => void {
  const original: unknown = Reflect.get(object, name);
  if (typeof original !== 'function') throw new Error(`${name} is no function`);
  Reflect.set(object, name, function patched(this: unknown, ...args: unknown[]): unknown {
    reached();
    const result: unknown = Reflect.apply(original, this, args);
    reached();
    return result;
  });
  return () => void Reflect.set(object, name, original);
}
