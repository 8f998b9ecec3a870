import { lstatSync } from 'node:fs';
import { readAt } from '../safe-files/files.js';
import { doing } from '../../host/running/watchdog.js';
import { journalNodes, journalPath } from './journal-file.js';
import { chunkSize, foreignLength, type JournalEntry, parseJournal } from './journal.js';

/**
 * How much of what is new in a journal is read at once, in bytes: of more than that its first and its last half, and what lies
 * between is passed over. A million clients of five file systems are less. A client that has made the file larger than any disk
 * (truncate(2): a hole) holds nobody up.
 */
export const readLimit = 1 << 29;

/** From `from` on, up to `to`. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** What of the bytes from `from` to `end` is not read; undefined: all of it is. */
export function gapIn(from: number, end: number): Gap | undefined {
  return end - from <= readLimit ? undefined : { from: from + readLimit / 2, to: end - readLimit / 2 };
}

/** A journal that is larger than what is read at once. */
export interface LargeJournal {
  readonly path: string;
  readonly bytes: number;
}

/** The nodes that have a journal in the directory, sorted. */
export function largeJournals(directory: string): LargeJournal[] {
  return journalNodes(directory).flatMap((node) => {
    const path = journalPath(directory, node);
    const bytes = lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
    return bytes > readLimit ? [{ path, bytes }] : [];
  });
}

/** As a sentence for people. */
export function largeJournalText({ path, bytes }: LargeJournal): string {
  const size = `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  return `${path} has ${size}: what was new beyond ${readLimit / 2 ** 20} MiB was not read; see who made it that large`;
}

/** What comes next in a journal: lines; or bytes that are none, and what they are. `offset`: where it begins. */
export type Chunk =
  | { readonly offset: number; readonly entries: readonly JournalEntry[] }
  | { readonly offset: number; readonly passedOver: string };

/** Reads an open journal from an offset at the start of a line, chunk by chunk, up to `end` or the last whole line before it. */
export class JournalReading {
  /** In bytes: what is before was given out. */
  offset: number;
  readonly #fd: number;
  /** For the watchdog, which names it. */
  readonly #path: string;
  readonly #end: number;
  readonly #gap: Gap | undefined;

  constructor(
    fd: number,
    path: string,
    place: { readonly from: number; readonly end: number; readonly gap: Gap | undefined },
  ) {
    this.#fd = fd;
    this.#path = path;
    this.offset = place.from;
    this.#end = place.end;
    this.#gap = place.gap;
  }

  /** Undefined at the end. */
  next(): Chunk | undefined {
    const { offset } = this;
    if (this.#gap !== undefined && offset >= this.#gap.from && offset < this.#gap.to) {
      this.offset = this.#gap.to;
      const bytes = this.#gap.to - offset;
      return { offset, passedOver: `${bytes} bytes not read: more than ${readLimit} were new` };
    }
    const bytes = this.#read();
    if (isZero(bytes)) return this.#passZeros(bytes);
    const { entries, consumed } = parseJournal(bytes);
    if (consumed > 0) {
      this.offset += consumed;
      return { offset, entries };
    }
    // A line that is being written, or was torn, has its end still to come; one that is longer is none of ours.
    if (bytes.length < chunkSize) return undefined;
    const length = foreignLength(bytes);
    this.offset += length;
    return { offset, passedOver: bytes.toString('latin1', 0, length) };
  }

  #read(): Buffer {
    doing(`reading ${this.#path}`);
    return readAt(this.#fd, this.offset, Math.min(chunkSize, this.#end - this.offset));
  }

  /** A hole, or what stands for one: whole chunks of zeros, as one. */
  #passZeros(first: Buffer): Chunk {
    const { offset } = this;
    for (let bytes = first; isZero(bytes); bytes = this.#read()) {
      this.offset += bytes.length;
      if (this.#gap !== undefined && this.offset >= this.#gap.from && this.offset < this.#gap.to) break;
    }
    return { offset, passedOver: `${this.offset - offset} zero bytes` };
  }
}

const zeros = Buffer.alloc(chunkSize);

function isZero(bytes: Buffer): boolean {
  return bytes.length === chunkSize && bytes.equals(zeros);
}

/** Every whole line of an open journal, from its start, as far as it is read at once. */
export function* journalEntries(fd: number, path: string, size: number): Generator<JournalEntry> {
  const reading = new JournalReading(fd, path, { from: 0, end: size, gap: gapIn(0, size) });
  for (let chunk = reading.next(); chunk !== undefined; chunk = reading.next()) {
    if ('entries' in chunk) yield* chunk.entries;
  }
}
