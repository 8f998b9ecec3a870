import { readFileSync } from 'node:fs';
import type { LookOptions, Obstacle } from '../action.js';
import type { Host } from '../host.js';
import { programFile } from '../running/command.js';
import type { PathExport } from './exports.js';
import { lookAtClients } from './looks.js';

/** What B-5 would fail for that can be known of an export by itself: its options, and whether its client can be resolved. */
export async function lookAtExport(
  host: Host,
  one: PathExport,
  { asksNames }: LookOptions,
): Promise<Obstacle[]> {
  return [...lookAtOptions(host, one), ...(asksNames ? await lookAtClients(host, one.clients) : [])];
}

/** Words that every exportfs has: what has them not is a wrapper, and tells nothing. */
const wellKnown = ['no_subtree_check', 'anonuid'];
/** A compiler may make code of a comparison with a shorter one, so that it stands nowhere (GCC, --param builtin-string-cmp-inline-length). */
const shortest = 5;

/**
 * Options that exportfs refuses, with the whole export (nfs-utils support/nfs/exports.c, parseopts). Which it knows differs from release to
 * release, so the program itself is asked: a word that does not stand in it, it cannot know.
 */
function lookAtOptions(host: Host, { path, options }: PathExport): Obstacle[] {
  const program = host.kind === 'real' ? exportfsProgram() : undefined;
  const isUnknown = (word: string) =>
    program !== undefined && word.length >= shortest && !standsIn(program, word);
  const wrong = options.split(',').filter((option) => {
    const [, key = option, value] = /^([^=]*)=(.*)$/.exec(option) ?? [];
    if (key === 'anonuid' || key === 'anongid') return !isNumber(value ?? '');
    // A flavour may have three letters, and stands in a table, so never in code.
    if (key === 'sec')
      return (value ?? '').split(':').some((flavour) => program !== undefined && !standsIn(program, flavour));
    return isUnknown(key);
  });
  return wrong.map((option) => ({
    message: `exportfs refuses the option "${option}" of the export of ${path}`,
    hint: 'Correct "options" in the configuration: exports(5).',
  }));
}

/** As strtol(3) takes it, to the end. */
function isNumber(text: string): boolean {
  return /^[+-]?(?:0x[0-9a-f]+|\d+)$/i.test(text);
}

/** By itself, or before its "=". */
function standsIn(program: Buffer, word: string): boolean {
  return program.includes(`${word}\0`, 0, 'latin1') || program.includes(`${word}=`, 0, 'latin1');
}

function exportfsProgram(): Buffer | undefined {
  const file = programFile('exportfs');
  if (file === undefined) return undefined;
  try {
    const program = readFileSync(file);
    return wellKnown.every((word) => standsIn(program, word)) ? program : undefined;
  } catch {
    return undefined; // it may be run, and not be read
  }
}
