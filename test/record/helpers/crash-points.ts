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
 * From now on this process counts the moments before and after each of its effects, calls of the file system and
 * statements of SQLite, BEGIN and COMMIT included, and is killed (SIGKILL) at the `fatal`-th.
 */
export function killAt(fatal: number): void {
  let count = 0;
  const moment = () => {
    count += 1;
    if (count === fatal) process.kill(process.pid, 'SIGKILL');
  };
  for (const name of effects) patch(fs, name, moment);
  syncBuiltinESMExports();
  const db = new Database(':memory:');
  patch(Object.getPrototypeOf(db.prepare('SELECT 1')), 'run', moment);
  db.close();
}

function patch(object: object, name: string, moment: () => void): void {
  const original: unknown = Reflect.get(object, name);
  if (typeof original !== 'function') throw new Error(`${name} is no function`);
  Reflect.set(object, name, function patched(this: unknown, ...args: unknown[]): unknown {
    moment();
    const result: unknown = Reflect.apply(original, this, args);
    moment();
    return result;
  });
}
