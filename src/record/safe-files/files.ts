import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { errnoOf, exitCodes, FailoverError } from '../../errors.js';
import { inPlainWords } from '../record-error.js';

// How files of the record are opened, read and written.

/**
 * Runs `use` on a descriptor of a file in the record, opened with `flags` (open(2)), made with mode 0600 where they say so;
 * undefined where it is not there. Throws RECORD_UNSAFE for what is not a regular file: never followed, never waited for.
 */
export function withRegularFile<T>(path: string, flags: number, use: (fd: number) => T): T | undefined {
  let fd: number;
  try {
    fd = openSync(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT') return undefined;
    if (code === 'ELOOP' || code === 'ENXIO' || code === 'EISDIR')
      throw unsafe(path, 'is not a regular file');
    throw error;
  }
  try {
    if (!fstatSync(fd).isFile()) throw unsafe(path, 'is not a regular file');
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/** Reads `length` bytes at `offset`, fewer at the end of the file. */
export function readAt(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let have = 0;
  while (have < length) {
    const got = readSync(fd, bytes, have, length - have, offset + have);
    if (got === 0) break;
    have += got;
  }
  return bytes.subarray(0, have);
}

/** Writes latin1 text to the end, in one write(2) unless the kernel takes less. */
export function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
}

/** Makes the names in a directory durable: what was made, renamed or removed in it (fsync(2), NOTES). */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Runs an `action` that makes something; no error where that is there. */
export function unlessThere(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/** The error for something in the state directory that somebody else could control. */
export function unsafe(place: string, why: string): FailoverError {
  const path = inPlainWords(place);
  return new FailoverError(`${path} ${why}: somebody else could control the record`, {
    code: 'RECORD_UNSAFE',
    exitCode: exitCodes.stepFailed,
    operation: `looking at ${path}`,
    hint: 'Find out who made it. Then make it a real file or directory that belongs to root, and that nobody else can write.',
  });
}
