import { lstatSync } from 'node:fs';
import { FailoverError, exitCodes } from '../errors.js';
import { journalNodes } from './journal/journal-file.js';
import { rebuildHint } from './record-error.js';
import type { HeldDirectory } from './safe-files/held-directory.js';
import { databasePath } from './safe-files/layout.js';

/**
 * Throws RECORD_MISSING where there are journals, but their database is not there or empty (a restored backup without it, a
 * file system that lost it in a crash): to begin a new one would forget who owns the address, and let a second node have it.
 * A journal is made only after the database says who makes it, so without any, nothing was lost.
 */
export function assertNotLost(held: HeldDirectory): void {
  // In this order: what is begun meanwhile by another process has its database before its journal.
  if (journalNodes(held.way).length === 0) return;
  const file = databasePath(held.path);
  const found = lstatSync(databasePath(held.way), { throwIfNoEntry: false });
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
