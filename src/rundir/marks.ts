import { closeSync, constants, fstatSync, openSync, readdirSync, readSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.js';
import { escapeBytes, isClientName } from '../names.js';

/** What the callout left behind about an event that it could not write, or not make durable. */
export interface Mark {
  /** The floating IP; or "refused", for a name that may not be recorded at all; or "unsynced", for what sync said. */
  readonly address: string;
  /** The event, when (seconds since boot; of "unsynced" a time in UTC), and why; escaped, bounded. */
  readonly text: string;
}

/** More than the callout ever writes. */
const longest = 700;

/**
 * What the callout's last act, sync of each journal that is not synchronous by itself, complained of on its standard
 * error: events were written, and acknowledged to the clients all the same, since statd ignores how its callout ends
 * (nfs-utils utils/statd/monitor.c, ha_callout in support/include/ha-callout.h), but a power cut may lose them.
 */
export const unsynced = 'unsynced';

/**
 * The marks in `<runDirectory>/marks`, sorted by address. That directory belongs to statd's user, which talks to
 * the network: nothing in it is followed, waited for, or shown as it is.
 */
export function readMarks(runDirectory: string): Mark[] {
  const directory = join(runDirectory, 'marks');
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  return names
    .filter(isClientName)
    .toSorted()
    .map((address) => ({ address, text: readMark(directory, address) }))
    .filter(({ text }) => text !== '');
}

function readMark(directory: string, name: string): string {
  const path = join(directory, name);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return `a mark that cannot be read (${errnoOf(error) ?? 'unknown error'})`;
  }
  try {
    const file = fstatSync(fd);
    if (!file.isFile()) return 'a mark that is not a regular file';
    const text = firstBytes(fd, longest).toString('latin1').trimEnd();
    if (name !== unsynced || text === '') return escapeBytes(text, longest);
    // The last complaint is written over those before it, so below its line may be what is left of them.
    const [complaint = ''] = text.split('\n');
    return `${file.mtime.toISOString()} not durable: ${escapeBytes(complaint, longest)}`;
  } finally {
    closeSync(fd);
  }
}

/** Of a regular file on tmpfs: one read(2) gives all that is there. */
function firstBytes(fd: number, most: number): Buffer {
  const bytes = Buffer.alloc(most);
  return bytes.subarray(0, readSync(fd, bytes, 0, most, 0));
}

/** Removes the mark of an address, once what was not recorded has been made good (B-2 adopts statd's whole list). */
export function clearMark(runDirectory: string, address: string): void {
  if (isClientName(address)) rmSync(join(runDirectory, 'marks', address), { force: true });
}
