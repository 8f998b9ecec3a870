import { execFile } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseJournal } from '../../src/record/journal/journal.js';
import { openRecord } from '../../src/record/record.js';
import { isOfRound, monitorEvent } from './monitor-sequence.js';
import { machinePath } from './requirements.js';

const run = promisify(execFile);
const env = { PATH: machinePath };

/** What is left of a round after a power cut. */
export interface Remains {
  /** How many of the round's events the journal has: the first so many, in order, and nothing else. */
  readonly events: number;
  /** The round's clients in the record, folded from the journals; sorted. */
  readonly clients: readonly string[];
  /** Whether the journal ends within a line, or has one that cannot be read. */
  readonly torn: boolean;
}

/** Copies an image; only of a guest that stands still is it what a disk has after a power cut. */
export async function copyImage(image: string, copy: string): Promise<void> {
  await run('cp', ['--sparse=always', '--', image, copy], { env });
}

/**
 * Recovers a copy of an image as after a power cut (e2fsck replays the file system's journal, with the code that is the
 * kernel's too: e2fsprogs e2fsck/recovery.c, Linux fs/jbd2/recovery.c), takes the state directory out of it, and reads
 * the journal of `node` and the record. Removes the copy.
 */
export async function recoverCopy(
  copy: string,
  { state, address, node, round }: { state: string; address: string; node: string; round: number },
): Promise<Remains> {
  const directory = `${copy}.out`;
  await mkdir(directory, { mode: 0o700 });
  try {
    // 1: something was put right. A second pass must find nothing.
    await run('e2fsck', ['-fy', copy], { env }).catch((error: { code?: unknown }) => {
      if (error.code !== 1) throw error;
    });
    await run('e2fsck', ['-fn', copy], { env });
    await run('debugfs', ['-R', `rdump /${state} ${directory}`, copy], { env });
    const place = join(directory, state, `sm_${address}`);
    const bytes = await readFile(join(place, `journal.${node}`));
    const record = openRecord({ directory: place, node: 'X', create: false });
    if (record === undefined) throw new Error(`no record in ${place}`);
    try {
      record.fold();
      return { ...eventsOf(bytes, round), clients: ofRound(round, record.clientNames()) };
    } finally {
      record.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
    await rm(copy, { force: true });
  }
}

export function ofRound(round: number, clients: readonly string[]): string[] {
  return [...new Set(clients)].filter((client) => isOfRound(round, client)).toSorted();
}

/** @throws Error if the events are not those of the round, from the first on, in order */
export function eventsOf(journal: Buffer, round: number): Pick<Remains, 'events' | 'torn'> {
  const { entries, consumed } = parseJournal(journal);
  const events = entries.flatMap(({ line }) =>
    (line?.kind === 'add-client' || line?.kind === 'del-client') && isOfRound(round, line.client)
      ? [`${line.kind} ${line.client}`]
      : [],
  );
  for (const [index, found] of events.entries()) {
    const { procedure, client } = monitorEvent(round, index);
    const expected = `${procedure === 'mon' ? 'add' : 'del'}-client ${client}`;
    if (found !== expected) throw new Error(`event ${index} of round ${round}: ${found}, not ${expected}`);
  }
  const torn = consumed < journal.length || entries.some(({ line }) => line === undefined);
  return { events: events.length, torn };
}
