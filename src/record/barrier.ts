import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemError } from '../errors.js';
import { syncDirectory } from '../host/directories.js';
import { isNodeName } from '../names.js';
import { inPlainWords } from './record-error.js';
import { isWhole, putShared, readShared } from './shared-file.js';

// The barrier of an address whose file systems every node exports: before a lock of its clients can be taken anew, every node is in grace.
// `<state>/sm_<address>/barrier` is the call to enter it, `barrier.<node>` what that node answered. Each file has one writer and is replaced
// as a whole, so that no lock of the storage is needed: who calls is the owner of the address, and has claimed it in the database. Whether a node
// looks for calls at all is asked in `looks`, by anybody, and answered in `looks.<node>`.

/** A call to every node that exports the file systems of an address to enter grace. */
export interface GraceCall {
  /** Of this call and of no other, whoever makes it. */
  readonly id: string;
  /** From 1, raised while it stands: who has joined enters grace anew, as it may be long before the last one has. */
  readonly round: number;
  /** Who calls, and is in grace by itself. */
  readonly by: string;
  /** In which it has the address. */
  readonly epoch: number;
  /** Hosts that died with locks, by their names: a node has joined when its storage has none of theirs any more. */
  readonly dead: readonly string[];
  /**
   * Nobody waits for answers any more: a release has ended, or a takeover is on its way to B-3. Until the call is withdrawn, or another one takes its
   * place, as that of the takeover which is to come, nobody has the locks that went, and every node that looks stays in grace (join-calls.ts).
   */
  readonly stands?: boolean;
}

const states = ['called', 'joined', 'in-grace', 'failed'] as const;

/** What one node did at a call. */
export interface GraceAnswer {
  /** Of the call that it answers. */
  readonly id: string;
  readonly round: number;
  /** The host name under which its storage knows it. */
  readonly host: string;
  /**
   * `called`: it has seen the call, and is entering grace; `joined`: it is in grace, and nobody's old lock is in the way; `in-grace`: the latter
   * is waited for; `failed`: it is not in grace.
   */
  readonly state: (typeof states)[number];
  /** A sentence: what it waits for, why it failed, or what else there is to say. */
  readonly said: string;
  /** When, ms since 1970, by its own clock. */
  readonly at: number;
}

/** Where both lie: the record's directory, or the way to it (held-directory.ts). */
type Directory = string;

const callName = 'barrier';
const questionName = 'looks';
/** Of a sentence that another node has written. */
const mostCharacters = 500;
/** Of a Date (ECMA-262, Time Values). */
const latestTime = 8.64e15;

/** Calls, durable: whoever looks from now on sees it. Throws RECORD_FULL, RECORD_UNUSABLE. */
export function writeCall(directory: Directory, call: GraceCall): void {
  putShared(join(directory, callName), call);
}

/** The call is over: nobody needs to enter grace for it any more. Throws RECORD_UNSAFE, SYSTEM_ERROR. */
export function withdrawCall(directory: Directory, { id }: Pick<GraceCall, 'id'>): void {
  if (readCall(directory)?.id !== id) return;
  try {
    rmSync(join(directory, callName), { force: true });
    syncDirectory(directory);
  } catch (error) {
    throw systemError(error, `withdrawing a call into grace in ${inPlainWords(directory)}`);
  }
}

/** Whether something lies where a call would, or cannot be looked at: all that is asked is whether that name is there. */
export function isCalled(directory: Directory): boolean {
  try {
    return lstatSync(join(directory, callName), { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** The call that stands; undefined where there is none, or none that can be read. Throws RECORD_UNSAFE, SYSTEM_ERROR. */
export function readCall(directory: Directory): GraceCall | undefined {
  const found = readShared(join(directory, callName));
  const { id, round, by, epoch, dead, stands } = found ?? {};
  if (!isId(id) || !isWhole(round) || typeof by !== 'string' || !isNodeName(by)) return undefined;
  if (!isWhole(epoch) || !Array.isArray(dead)) return undefined;
  const names = dead.filter((one): one is string => typeof one === 'string');
  return { id, round, by, epoch, dead: names, ...(stands === true ? { stands } : {}) };
}

/** Answers as `node`, durable. Throws RECORD_FULL, RECORD_UNUSABLE. */
export function writeAnswer(directory: Directory, node: string, answer: GraceAnswer): void {
  putShared(join(directory, answerName(node)), answer);
}

/** What `node` answered last, whichever call it was. Undefined where it never did, or what is there cannot be read. Throws RECORD_UNSAFE, SYSTEM_ERROR. */
export function readAnswer(directory: Directory, node: string): GraceAnswer | undefined {
  const { id, round, host, state: word, said, at } = readShared(join(directory, answerName(node))) ?? {};
  const state = states.find((one) => one === word);
  if (!isId(id) || !isWhole(round) || state === undefined) return undefined;
  if (!isWhole(at) || at > latestTime) return undefined;
  if (typeof host !== 'string' || typeof said !== 'string') return undefined;
  return { id, round, host, state, said: said.slice(0, mostCharacters), at };
}

/** Asks every node whether it looks for calls, durable: no server enters grace for it. Throws RECORD_FULL, RECORD_UNUSABLE. */
export function writeQuestion(directory: Directory, id: string): void {
  putShared(join(directory, questionName), { id });
}

/** The id of the question that was asked last; undefined where there is none, or none that can be read. Throws RECORD_UNSAFE, SYSTEM_ERROR. */
export function readQuestion(directory: Directory): string | undefined {
  return idIn(join(directory, questionName));
}

/** `node` looks for calls, as it was asked. Throws RECORD_FULL, RECORD_UNUSABLE. */
export function writePresence(directory: Directory, node: string, id: string): void {
  putShared(join(directory, presenceName(node)), { id });
}

/** The question that `node` has answered last. Throws RECORD_UNSAFE, SYSTEM_ERROR. */
export function readPresence(directory: Directory, node: string): string | undefined {
  return idIn(join(directory, presenceName(node)));
}

function presenceName(node: string): string {
  return `${questionName}.${node}`;
}

function idIn(file: string): string | undefined {
  const { id } = readShared(file) ?? {};
  return isId(id) ? id : undefined;
}

/** Every node that has answered a call here, whichever and whenever. Throws SYSTEM_ERROR. */
export function answeringNodes(directory: Directory): string[] {
  try {
    return readdirSync(directory)
      .flatMap((name) => (name.startsWith(`${callName}.`) ? [name.slice(callName.length + 1)] : []))
      .filter((name) => isNodeName(name));
  } catch (error) {
    throw systemError(error, `reading ${inPlainWords(directory)}`);
  }
}

function answerName(node: string): string {
  return `${callName}.${node}`;
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f-]{36}$/.test(value);
}
