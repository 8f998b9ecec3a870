// Loaded before the product with NODE_OPTIONS=--import: numbers every effect of the process by itself, and strikes at one.
// Effects are whatever can change something: calls of node:fs, statements of SQLite that are no part of an open transaction,
// commits, and commands. Functions of node:fs count unless they are known to read only, so that a new one is not missed.
import childProcess from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import Database from 'better-sqlite3';
import { type Effect, type Fault, faultVariable } from './fault.js';

const fault = JSON.parse(process.env[faultVariable] ?? '{}') as Fault;
// Neither for the commands that the product runs, nor for another nlm-failover among them.
delete process.env[faultVariable];
delete process.env['NODE_OPTIONS'];

const { openSync, writeSync, fsyncSync } = fs;
const log = fault.log === undefined ? undefined : openSync(fault.log, 'w');
const readsOnly =
  /^(read|stat|lstat|fstat|exists|access|realpath|opendir|close|watch|unwatch|glob|openAsBlob|_|[A-Z])/;
let count = 0;
/** Effects inside of an effect are parts of it: rmSync calls rmdirSync. */
let depth = 0;

type Callable = (this: unknown, ...args: unknown[]) => unknown;

/** Runs one effect as the next number, and strikes before or after it if it is the one. */
function effect(kind: string, what: string, run: () => unknown, failure: () => Error): unknown {
  const struck = reach(kind, what);
  if (struck && fault.side !== 'after') strike(failure);
  depth += 1;
  try {
    return run();
  } finally {
    depth -= 1;
    // Also of one that fails by itself: a directory that is there already.
    if (struck && fault.side === 'after') strike(failure);
  }
}

/** Numbers an effect that is about to happen; whether it is the one to strike at. */
function reach(kind: string, what: string): boolean {
  count += 1;
  const entry: Effect = { number: count, kind, what };
  if (log !== undefined) writeSync(log, `${JSON.stringify(entry)}\n`);
  return count === fault.strike;
}

function strike(failure: () => Error): void {
  if (fault.how === 'kill') process.kill(process.pid, 'SIGKILL');
  else if (fault.how === 'term') process.kill(process.pid, 'SIGTERM');
  else if (fault.how === 'error') throw failure();
  else if (fault.how === 'freeze') {
    writeMarker();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  } else if (fault.how === 'stop') {
    writeMarker();
    process.kill(process.pid, 'SIGSTOP');
  }
}

function writeMarker(): void {
  const marker = openSync(fault.marker ?? '', 'w');
  writeSync(marker, 'frozen');
  fsyncSync(marker);
}

function ioError(syscall: string, path: string): () => Error {
  return () =>
    Object.assign(new Error(`EIO: i/o error, ${syscall} '${path}'`), {
      errno: -5,
      code: 'EIO',
      syscall,
      path,
    });
}

function isOutput(name: string, args: readonly unknown[]): boolean {
  if (typeof args[0] === 'number' && args[0] <= 2) return true;
  if (!/^open(Sync)?$/.test(name)) return false;
  const flags = args[1] ?? 'r';
  return typeof flags === 'number'
    ? (flags & (fs.constants.O_CREAT | fs.constants.O_TRUNC)) === 0
    : typeof flags !== 'string' || !/[wax]/.test(flags);
}

function patchFileSystem(functions: object): void {
  for (const name of Object.keys(functions)) {
    const original: unknown = Reflect.get(functions, name);
    if (typeof original !== 'function' || readsOnly.test(name)) continue;
    const patched: Callable = function patched(...args) {
      const run = () => Reflect.apply(original, this, args) as unknown;
      if (depth > 0 || isOutput(name, args)) return run();
      const what = args.filter((arg) => typeof arg === 'string').slice(0, 2);
      const path = /^(write|append)/.test(name) ? String(args[0]) : what.join(' ');
      return effect(name, path, run, ioError(name.replace('Sync', ''), path));
    };
    Reflect.set(functions, name, patched);
  }
}

function patchDatabase(): void {
  const memory = new Database(':memory:');
  const statements = Object.getPrototypeOf(memory.prepare('SELECT 1')) as object;
  memory.close();
  const full = () => new Database.SqliteError('disk I/O error', 'SQLITE_IOERR');
  const { run, exec } = {
    run: Reflect.get(statements, 'run') as Callable,
    exec: Reflect.get(Database.prototype, 'exec') as Callable,
  };
  Reflect.set(statements, 'run', function patched(this: Database.Statement, ...args: unknown[]) {
    const inner = () => Reflect.apply(run, this, args);
    const commit = this.source === 'COMMIT';
    const part = this.source.startsWith('BEGIN') || this.database.inTransaction;
    if (depth > 0 || (!commit && (this.readonly || part))) return inner();
    return effect(commit ? 'COMMIT' : 'statement', this.source, inner, full);
  });
  Reflect.set(Database.prototype, 'exec', function patched(this: Database.Database, sql: string) {
    const inner = () => Reflect.apply(exec, this, [sql]);
    return depth > 0 || this.inTransaction || sql.startsWith('BEGIN')
      ? inner()
      : effect('exec', sql, inner, full);
  });
}

/** A command that fails is one that exits with 1: before it did anything, or after it did everything. */
function patchCommands(): void {
  const original = childProcess.spawn as unknown as Callable;
  Reflect.set(childProcess, 'spawn', function patched(this: unknown, ...args: unknown[]) {
    const [file, argv, options] = args as [string, string[], object];
    const struck = reach(file, [file, ...argv].join(' '));
    if (struck && fault.how === 'error') {
      const failing: [string, string[]] =
        fault.side === 'after' ? ['sh', ['-c', '"$@"; exit 1', 'sh', file, ...argv]] : ['false', []];
      return Reflect.apply(original, this, [...failing, options]);
    }
    if (struck && fault.side !== 'after') strike(() => new Error('not reached'));
    const child = Reflect.apply(original, this, args) as childProcess.ChildProcess;
    if (struck && fault.side === 'after') child.once('exit', () => strike(() => new Error('not reached')));
    return child;
  });
}

patchFileSystem(fs);
patchFileSystem(fs.promises);
patchDatabase();
patchCommands();
syncBuiltinESMExports();
