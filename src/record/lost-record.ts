import { lstatSync } from 'node:fs';
import { FailoverError, errnoOf, exitCodes } from '../errors.js';
import { journalNodes } from './journal/journal-file.js';
import { rebuildHint } from './record-error.js';
import { databasePath } from './safe-files/record-directory.js';

/**
 * Throws RECORD_MISSING where there are journals, but their database is not there or empty (a restored backup without it, a
 * file system that lost it in a crash): to begin a new one would forget who owns the address, and let a second node have it.
 * A journal is made only after the database says who makes it, so without any, nothing was lost.
 */
export function assertNotLost(directory: string): void {
  // In this order: what is begun meanwhile by another process has its database before its journal.
  if (nodesIn(directory).length === 0) return;
  const file = databasePath(directory);
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found !== undefined && (!found.isFile() || found.size > 0)) return;
  throw new FailoverError(
    `${file} ${found === undefined ? 'is missing' : 'is empty'}, but there are journals beside it: the record was lost`,
    {
      code: 'RECORD_MISSING',
      exitCode: exitCodes.stepFailed,
      operation: `opening ${file}`,
      hint: rebuildHint(file),
    },
  );
}

function nodesIn(directory: string): string[] {
  // What it is instead of a directory, checkRecordDirectory says.
  if (lstatSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  try {
    return journalNodes(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
