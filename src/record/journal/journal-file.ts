import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isNodeName } from '../../names.js';
import { readAt, withRegularFile } from '../safe-files/files.js';

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
 * Throws RECORD_UNSAFE for what is not a regular file.
 */
export function withJournal<T>(
  directory: string,
  node: string,
  flags: number,
  use: (fd: number) => T,
): T | undefined {
  return withRegularFile(journalPath(directory, node), flags, use);
}

/** The file's first line as latin1 text, cut to `limit` bytes; undefined while it has none. */
export function firstLine(fd: number, limit: number): string | undefined {
  const text = readAt(fd, 0, limit).toString('latin1');
  const newline = text.indexOf('\n');
  if (newline === -1) return text.length === limit ? text : undefined;
  return text.slice(0, newline);
}
