import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FailoverError, systemError } from '../errors.js';
import { isNodeName } from '../names.js';
import { holdRecordDirectory } from '../record/safe-files/record-directory.js';
import { isWhole, putShared, readShared } from '../record/shared-file.js';
import { type Behind, type Note, nobodyBehind, phases, type Pnn } from './note.js';

// `<state>/ctdb/node.<PNN>`: what each node says of itself, on storage that every node sees and no client.

/** What a note says beside that, for people and for the next process of the node. */
export interface Signed extends Note {
  /** The node's name, as in its configuration. */
  readonly node: string;
  /** The boot of the kernel in which it was written. */
  readonly bootId: string;
}

export function notesDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'ctdb');
}

/** Of a file that is no note of a node, why, as a clause. */
export type NoNote = (pnn: Pnn, why: string) => void;

/**
 * Every note that there is; the directory is made where it is not there yet, never the one that it lies in. What no node can have written is no note, and
 * keeps no other one from being read: `tell` hears of it. Throws RECORD_UNSAFE where others can write to the directory, SYSTEM_ERROR.
 */
export function readNotes(directory: string, tell: NoNote = () => undefined): Map<Pnn, Signed> {
  return inDirectory(directory, (way) => {
    const notes = new Map<Pnn, Signed>();
    for (const name of readdirSync(way)) {
      const [, number] = /^node\.(0|[1-9][0-9]{0,5})$/.exec(name) ?? [];
      if (number === undefined) continue;
      const note = noteIn(contentOf(join(way, name)));
      if (typeof note === 'string') tell(Number(number), note);
      else notes.set(Number(number), note);
    }
    return notes;
  });
}

/** The file of a node's note, for people. */
export function noteFile(directory: string, pnn: Pnn): string {
  return join(directory, `node.${pnn}`);
}

/** A link or a pipe in the place of a note is neither followed nor waited for; its node replaces it. */
function contentOf(file: string): ReturnType<typeof readShared> | 'unsafe' {
  try {
    return readShared(file);
  } catch (error) {
    if (error instanceof FailoverError && error.code === 'RECORD_UNSAFE') return 'unsafe';
    throw error;
  }
}

/** Durable. Throws RECORD_UNSAFE, RECORD_FULL, RECORD_UNUSABLE, SYSTEM_ERROR. */
export function writeNote(directory: string, pnn: Pnn, note: Signed): void {
  inDirectory(directory, (way) => putShared(noteFile(way, pnn), note));
}

function inDirectory<T>(directory: string, use: (way: string) => T): T {
  try {
    const held = holdRecordDirectory(directory, { create: true });
    // With `create` it is there.
    if (held === undefined) throw new Error(`${directory} is not there`);
    try {
      return use(held.way);
    } finally {
      held.close();
    }
  } catch (error) {
    throw systemError(error, `reading ${directory}`);
  }
}

/** Or why it is none. */
function noteIn(found: ReturnType<typeof contentOf>): Signed | string {
  if (found === 'unsafe') return 'it is not a regular file';
  if (found === undefined) return 'it holds nothing that a node has written';
  const { generation, phase: word, behind, beat, node, bootId } = found;
  const phase = phases.find((one) => one === word);
  const no = (key: string, kind: string) => `its "${key}" is no ${kind}`;
  if (!isWhole(generation)) return no('generation', 'number of one');
  if (!isWhole(beat)) return no('beat', 'whole number');
  if (phase === undefined) return no('phase', 'phase');
  if (typeof node !== 'string' || !isNodeName(node)) return no('node', 'name of a node');
  if (typeof bootId !== 'string') return no('bootId', 'text');
  return { generation, phase, behind: behindIn(behind), beat, node, bootId };
}

function behindIn(value: unknown): Behind {
  if (typeof value !== 'object' || value === null) return nobodyBehind;
  const of = (awaited: keyof Behind) => {
    const list: unknown = Reflect.get(value, awaited);
    return Array.isArray(list) ? list.filter(isWhole) : [];
  };
  return { refusing: of('refusing'), stopped: of('stopped') };
}
