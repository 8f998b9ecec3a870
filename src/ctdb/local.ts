import { randomUUID } from 'node:crypto';
import { uptime } from 'node:os';
import path from 'node:path';
import * as v from 'valibot';
import { systemError } from '../errors.js';
import { makeDirectory } from '../host/directories.js';
import { readTextIfThere } from '../host/real.js';
import { replaceFile } from '../host/replace-file.js';

// <run>/ctdb: what CTDB's events have said on this node, and what the barrier's process has to remember when it is killed. On a tmpfs: with the
// kernel all of that is gone, as the locks are.

function fileOf(run: string, name: 'moved' | 'settled' | 'covered' | 'closed' | 'looked'): string {
  return path.join(run, 'ctdb', name);
}

/** An address came or went: another word than before. Throws FailoverError SYSTEM_ERROR. */
export function noteMoved(run: string): void {
  put(fileOf(run, 'moved'), randomUUID());
}

/** CTDB has moved all that it wanted to move. Throws FailoverError SYSTEM_ERROR. */
export function noteSettled(run: string): void {
  put(fileOf(run, 'settled'), movedNow(run) ?? '');
}

/** The word of the last move; undefined: none since the boot. */
export function movedNow(run: string): string | undefined {
  return get(fileOf(run, 'moved'));
}

/** The move that CTDB had ended with last. */
export function settledMove(run: string): string | undefined {
  return get(fileOf(run, 'settled'));
}

const coveredSchema = v.object({ moved: v.string(), addresses: v.array(v.string()) });

/** What the last reconfiguration of this node has covered. */
export interface Covered {
  /** The word of the last move before it; empty: there was none. */
  readonly moved: string;
  /** The public addresses that the node had, sorted. */
  readonly addresses: readonly string[];
}

/** Throws FailoverError SYSTEM_ERROR. */
export function noteCovered(run: string, covered: Covered): void {
  put(fileOf(run, 'covered'), JSON.stringify(covered));
}

/** Undefined: none since the boot. */
export function lastCovered(run: string): Covered | undefined {
  return parsed(coveredSchema, get(fileOf(run, 'covered')));
}

/** Since when this node refuses, ms since the boot; undefined: it does not. Throws FailoverError SYSTEM_ERROR. */
export function noteClosed(run: string, since: number | undefined): void {
  put(fileOf(run, 'closed'), since === undefined ? '' : String(since));
}

export function closedSince(run: string): number | undefined {
  const since = Number(get(fileOf(run, 'closed')));
  return since > 0 ? since : undefined;
}

/** ms since the boot: one clock for all processes of this kernel. */
export function sinceBoot(): number {
  return Math.round(uptime() * 1000);
}

const lookedSchema = v.object({
  at: v.number(),
  phase: v.string(),
  generation: v.number(),
  /** What keeps it from its work. */
  wrong: v.array(v.string()),
  /** What else is worth a person's attention. */
  remarks: v.array(v.string()),
});

/** How the process is, for `monitor`, which must not wait for anything. */
export type Looked = v.InferOutput<typeof lookedSchema>;

/** Throws FailoverError SYSTEM_ERROR. */
export function noteLooked(run: string, looked: Looked): void {
  put(fileOf(run, 'looked'), JSON.stringify(looked));
}

/** Undefined: it has never looked since the boot. */
export function lastLooked(run: string): Looked | undefined {
  return parsed(lookedSchema, get(fileOf(run, 'looked')));
}

/** Whether the process of CTDB's barrier runs on this node, or has since the boot. */
export function isMovedByCtdb(run: string): boolean {
  return lastLooked(run) !== undefined;
}

function put(file: string, text: string): void {
  try {
    makeDirectory(path.dirname(path.dirname(file)), 0o755);
    makeDirectory(path.dirname(file), 0o700);
    replaceFile(file, `${text}\n`, 0o600);
  } catch (error) {
    throw systemError(error, `writing ${file}`);
  }
}

function get(file: string): string | undefined {
  const text = readTextIfThere(file)?.trim();
  return text === '' ? undefined : text;
}

function parsed<T>(schema: v.GenericSchema<unknown, T>, text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    const result = v.safeParse(schema, JSON.parse(text));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}
