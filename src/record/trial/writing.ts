import { closeSync, constants, fsyncSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import { counted } from '../../counted.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { openDatabase } from '../database/database.js';
import { guarded, isUnwritable, recordError } from '../record-error.js';
import type { HeldDirectory } from '../safe-files/held-directory.js';
import { makeEmptyFile } from '../safe-files/record-directory.js';
import { openDespiteLease, readAt, withRegularFile, writeAll } from '../safe-files/files.js';

/** Each of the two writes so often at the least, beside the other. GlusterFS with its default options lost 17 of 90. */
const enough = 25;
/** A line is appended before each so many of them. */
const lineEach = 3;
/** A node that the other one leaves little room, or whose storage is slow, is given up after this: seconds. */
const longest = 240;
/** What proves something still where the time is over: so many of each, and so often one after the other. */
const leastWritten = 10;
const leastTurns = 6;

const schema = [
  `CREATE TABLE counter (n INTEGER NOT NULL);
   INSERT INTO counter VALUES (0);
   CREATE TABLE written (n INTEGER NOT NULL, node TEXT NOT NULL, lines INTEGER NOT NULL);`,
];

/** How often to look whether the other node has ended, ms. */
const lookMs = 500;

const sleep = new Int32Array(new SharedArrayBuffer(4));

/** Where the two write. */
export interface Place {
  readonly held: HeldDirectory;
  /** Of the database; the other files are named after it. */
  readonly name: string;
  readonly me: string;
  readonly other: string;
  /** For another process's lock on the database: ms. */
  readonly busyMs: number;
}

/** What one node has done, and why it did not go on. */
export interface Wrote {
  readonly written: number;
  readonly why: readonly string[];
}

/** Makes the database, empty. */
export function makeTrial(place: Place): void {
  removeTrial(place);
  makeEmptyFile(place.held.at(place.name));
}

/** With what a trial of the same two left that was killed. Asks for no name that is not there: a node may keep that in mind. */
export function removeTrial({ held, name }: Place): void {
  const files = readdirSync(held.way).filter((file) => file.startsWith(name));
  for (const file of files) rmSync(held.at(file), { force: true });
}

/** Makes this node's file of lines. */
export function makeLines(place: Place): void {
  const file = linesOf(place, place.me);
  guarded(`making ${file}`, () => makeEmptyFile(file));
}

export function openTrial({ held, name, busyMs }: Place): Database.Database {
  return openDatabase(held.at(name), schema, busyMs);
}

function linesOf({ held, name }: Place, node: string): string {
  return held.at(`${name}.${node}`);
}

/**
 * Counts up in transactions, as the other node does at the same time, with the settings of a record; before some of them a line is
 * appended to a file of its own, as the callout appends to a journal, and of the other's file everything must be there that its transactions
 * tell of. Ends when both have written often enough, when something is wrong, or when the other one has ended.
 */
export async function write(place: Place, db: Database.Database, isOtherDone: () => boolean): Promise<Wrote> {
  const { me, busyMs } = place;
  const end = performance.now() + longest * 1000;
  let look = performance.now() + lookMs;
  let [written, lines, seen] = [0, 0, 0];
  const why: string[] = [];
  while (why.length === 0 && performance.now() < end) {
    try {
      if (written % lineEach === 0) appendLine(place, (lines += 1));
      const all = guarded('counting', () => countUp(db, me, lines), { file: db.name, busyMs });
      written += 1;
      if (all.own !== written) why.push(`${me} had written ${written} times, and found ${all.own} of them`);
      if (all.lines > seen) why.push(...unseenLines(place, (seen = all.lines)));
      // Twice as often, too: whom the other does not see could wait for it for ever.
      if (written >= (all.other >= enough ? enough : 2 * enough)) break;
      if (performance.now() > look) {
        if (isOtherDone()) break;
        look = performance.now() + lookMs;
      }
    } catch (error) {
      why.push(whyOf(place, error));
    }
    await delay(5 + Math.random() * 15);
  }
  return { written, why };
}

/** What is there, with what was just written: how often each has written, and how many lines the other one has appended. */
interface Seen {
  readonly own: number;
  readonly other: number;
  readonly lines: number;
}

function countUp(db: Database.Database, me: string, lines: number): Seen {
  return db
    .transaction(() => {
      const n = db.prepare<[], number>('SELECT n FROM counter').pluck().get() ?? 0;
      const all = db.prepare<[], [string, number]>('SELECT node, lines FROM written').raw().all();
      const others = all.filter(([node]) => node !== me);
      // Where a lock does not keep the other one out, it is here now.
      Atomics.wait(sleep, 0, 0, 3);
      db.prepare('UPDATE counter SET n = ?').run(n + 1);
      db.prepare('INSERT INTO written VALUES (?, ?, ?)').run(n + 1, me, lines);
      return {
        own: all.length - others.length + 1,
        other: others.length,
        lines: Math.max(0, ...others.map(([, count]) => count)),
      };
    })
    .immediate();
}

function unseenLines(place: Place, lines: number): string[] {
  const { me, other } = place;
  const there = countLines(place, other);
  return there < lines ? [`${other} had appended ${lines} lines, and ${me} read ${there} of them`] : [];
}

function appendLine(place: Place, number: number): void {
  const { O_WRONLY, O_APPEND, O_NOFOLLOW } = constants;
  const fd = openDespiteLease(linesOf(place, place.me), O_WRONLY | O_APPEND | O_NOFOLLOW);
  try {
    writeAll(fd, `${String(number).padStart(7)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function countLines(place: Place, node: string): number {
  const read = (fd: number): number =>
    readAt(fd, 0, 1 << 20)
      .toString('latin1')
      .match(/ *\d+\n/gu)?.length ?? 0;
  return withRegularFile(linesOf(place, node), constants.O_RDONLY, read) ?? 0;
}

/** What is there when both have ended, seen with a new connection: why that is not all, one sentence each. */
export function missingOf(place: Place, written: Readonly<Record<string, number>>): string[] {
  try {
    const db = openTrial(place);
    try {
      const all = db.prepare<[], [number, string]>('SELECT n, node FROM written ORDER BY rowid').raw().all();
      const n = db.prepare<[], number>('SELECT n FROM counter').pluck().get() ?? 0;
      return judge(place, written, { n, all });
    } finally {
      db.close();
    }
  } catch (error) {
    return [whyOf(place, error)];
  }
}

interface Left {
  readonly n: number;
  readonly all: readonly (readonly [number, string])[];
}

function judge(place: Place, written: Readonly<Record<string, number>>, { n, all }: Left): string[] {
  const { me, other } = place;
  const sum = Object.values(written).reduce((one, next) => one + next, 0);
  const rows = [me, other].map((node) => ({ node, rows: all.filter(([, one]) => one === node).length }));
  const lost = rows.filter(({ node, rows: there }) => there !== written[node]);
  const why = [
    ...lost.map(
      ({ node, rows: there }) => `${node} wrote ${written[node]} times, and ${me} found ${there} of them`,
    ),
    ...(n === sum ? [] : [`both counted up ${sum} times in all, and ${me} found ${n}`]),
  ];
  if (why.length === 0) refuseSeldom(place, written, all);
  return why;
}

/** That nothing is missing shows something only where the two have written beside each other. */
function refuseSeldom(
  { held, me, other }: Place,
  written: Readonly<Record<string, number>>,
  all: Left['all'],
): void {
  const turns = all.filter(([, node], index) => index > 0 && node !== all[index - 1]?.[1]).length;
  const counts = [me, other].map((node) => written[node] ?? 0);
  if (turns >= leastTurns && counts.every((count) => count >= leastWritten)) return;
  const directory = path.dirname(held.path);
  throw new FailoverError(
    `Nothing was shown in ${directory}: ${me} wrote ${counted(counts[0] ?? 0, 'time')} and ${other} ${counted(counts[1] ?? 0, 'time')}, hardly one beside the other`,
    {
      code: 'STORAGE_UNTRIED',
      exitCode: exitCodes.stepFailed,
      operation: `trying ${directory}`,
      hint: 'See what makes the storage, or one of the nodes, that slow; then run it on both again.',
    },
  );
}

/** An error that a storage which loses something may give (a database that is damaged), as a sentence. Throws it where it may not. */
export function whyOf({ held, me }: Place, error: unknown): string {
  const said = recordError(`writing in ${held.path}`, error);
  if (!(said instanceof FailoverError)) throw said;
  const { code, message } = said;
  if (code === 'RECORD_BUSY' || code === 'STORAGE_UNTRIED' || isUnwritable(said)) throw said;
  return `${me}: ${message}`;
}
