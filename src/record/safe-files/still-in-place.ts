import { lstatSync } from 'node:fs';
import { FailoverError, exitCodes } from '../../errors.js';
import { addressIn } from '../record-error.js';
import type { HeldDirectory } from './held-directory.js';
import { databasePath } from './layout.js';

/**
 * Returns a check that the path of the record leads to this directory, and to the database that is in it now. A database that lost
 * its name to another one (rebuild, or a backup that was moved over it) goes on to answer whoever has it open, and to take what
 * they write: a node that was stopped in the middle of its command would find itself the owner for ever.
 * The check throws RECORD_REPLACED.
 */
export function stillInPlace(held: HeldDirectory): () => void {
  const file = databasePath(held.way);
  const { dev, ino } = lstatSync(file, { bigint: true });
  return () => {
    if (!held.isInPlace) throw replaced(held.path, false);
    const now = lstatSync(file, { bigint: true, throwIfNoEntry: false });
    if (now?.ino !== ino || now.dev !== dev) throw replaced(databasePath(held.path), now === undefined);
  };
}

function replaced(file: string, isGone: boolean): FailoverError {
  const what = isGone ? 'was taken away' : 'was replaced by another one';
  return new FailoverError(`${file} ${what} while this command had it open`, {
    code: 'RECORD_REPLACED',
    exitCode: exitCodes.stepFailed,
    operation: `using ${file}`,
    hint: `Nothing more was changed here. See "nlm-failover status ${addressIn(file)}", then run the same command again.`,
  });
}
