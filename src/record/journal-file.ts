import { closeSync, constants, fstatSync, openSync, readSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.js';
import { isNodeName } from './client-name.js';
import { unsafe } from './record-directory.js';

const prefix = 'journal.';

/** Where the journal of `node` is. */
export function journalPath(directory: string, node: string): string {
  return join(directory, prefix + node);
}

/** The nodes that have a journal in the directory, sorted. */
export function journalNodes(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length))
    .filter(isNodeName)
    .toSorted();
}

/**
 * Runs `use` on a descriptor of the node's journal, opened with `flags`; undefined if there is no journal.
 * Throws RECORD_UNSAFE for what is not a regular file: never followed, never waited for.
 */
export function withJournal<T>(
  directory: string,
  node: string,
  flags: number,
  use: (fd: number) => T,
): T | undefined {
  const path = journalPath(directory, node);
  let fd: number;
  try {
    fd = openSync(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
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

/** The file's first line as latin1 text, cut to `limit` bytes; undefined while it has none. */
export function firstLine(fd: number, limit: number): string | undefined {
  const text = readAt(fd, 0, limit).toString('latin1');
  const newline = text.indexOf('\n');
  if (newline === -1) return text.length === limit ? text : undefined;
  return text.slice(0, newline);
}
