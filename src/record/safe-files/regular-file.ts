import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { errnoOf } from '../../errors.js';
import { unsafe } from './record-directory.js';

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
