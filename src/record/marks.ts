import { closeSync, constants, fstatSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.js';
import { isClientName } from './client-name.js';
import { escapeBytes } from './escape.js';
import { readAt } from './journal-file.js';

/** What the callout left behind about an event that it could not write. */
export interface Mark {
  /** The floating IP; or "refused", for a name that may not be recorded at all. */
  readonly address: string;
  /** The event, when (seconds since boot), and why; escaped, bounded. */
  readonly text: string;
}

/** More than the callout ever writes. */
const longest = 700;

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
    .map((address) => ({ address, text: readMark(join(directory, address)) }));
}

function readMark(path: string): string {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return `a mark that cannot be read (${errnoOf(error) ?? 'unknown error'})`;
  }
  try {
    if (!fstatSync(fd).isFile()) return 'a mark that is not a regular file';
    return escapeBytes(readAt(fd, 0, longest).toString('latin1').trimEnd(), longest);
  } finally {
    closeSync(fd);
  }
}

/** Removes the mark of an address, once what was not recorded has been made good (B-2 adopts statd's whole list). */
export function clearMark(runDirectory: string, address: string): void {
  if (isClientName(address)) rmSync(join(runDirectory, 'marks', address), { force: true });
}
