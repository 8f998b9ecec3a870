import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemError } from '../errors.js';
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

/**
 * Every note that there is; the directory is made where it is not there yet, never the one that it lies in. What cannot be read is no note. Throws
 * RECORD_UNSAFE, SYSTEM_ERROR.
 */
export function readNotes(directory: string): Map<Pnn, Signed> {
  return inDirectory(directory, (way) => {
    const notes = new Map<Pnn, Signed>();
    for (const name of readdirSync(way)) {
      const [, number] = /^node\.(0|[1-9][0-9]{0,5})$/.exec(name) ?? [];
      const note = number === undefined ? undefined : noteIn(readShared(join(way, name)));
      if (note !== undefined) notes.set(Number(number), note);
    }
    return notes;
  });
}

/** Durable. Throws RECORD_UNSAFE, RECORD_FULL, RECORD_UNUSABLE, SYSTEM_ERROR. */
export function writeNote(directory: string, pnn: Pnn, note: Signed): void {
  inDirectory(directory, (way) => putShared(join(way, `node.${pnn}`), note));
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

function noteIn(found: Readonly<Record<string, unknown>> | undefined): Signed | undefined {
  const { generation, phase: word, behind, beat, node, bootId } = found ?? {};
  const phase = phases.find((one) => one === word);
  if (!isWhole(generation) || !isWhole(beat) || phase === undefined) return undefined;
  if (typeof node !== 'string' || !isNodeName(node) || typeof bootId !== 'string') return undefined;
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
