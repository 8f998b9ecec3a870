import { constants, fstatSync, lstatSync } from 'node:fs';
import { FailoverError, exitCodes } from '../../errors.js';
import { inPlainWords } from '../record-error.js';
import { readAt, withRegularFile } from '../safe-files/files.js';

/** A rollback journal begins with it, and so does the end that names a super-journal (sqlite.org/fileformat.html, 3). */
const journalMagic = Buffer.from([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
/** The length of the name, its sum and the magic, which end such a journal (pager.c, readSuperJournal). */
const endBytes = 16;

/**
 * Throws RECORD_UNSAFE where the rollback journal of the database `file` names a super-journal: SQLite deletes that file,
 * whatever it is, once it has played the journal back (pager.c, pager_delsuper). Only a transaction over attached databases
 * makes one, and this program attaches none. To be asked before SQLite reads.
 */
export function assertNoSuperJournal(file: string): void {
  const journal = `${file}-journal`;
  // As between two transactions, where it is empty or not there: on a cluster file system to open it costs far more.
  const found = lstatSync(journal, { throwIfNoEntry: false });
  if (found === undefined || (found.isFile() && found.size < endBytes)) return;
  const names = withRegularFile(journal, constants.O_RDONLY, (fd) => {
    const { size } = fstatSync(fd);
    if (size < endBytes) return false;
    const end = readAt(fd, size - endBytes, endBytes);
    return end.length === endBytes && end.subarray(8).equals(journalMagic) && end.readUInt32BE(0) !== 0;
  });
  if (names === true) throw namesOther(inPlainWords(journal));
}

function namesOther(journal: string): FailoverError {
  return new FailoverError(
    `${journal} names another file, which SQLite would delete: no nlm-failover has written that`,
    {
      code: 'RECORD_UNSAFE',
      exitCode: exitCodes.stepFailed,
      operation: `looking at ${journal}`,
      hint: 'Find out who can write to that directory. Move the file out of it, then run the same command again.',
    },
  );
}
