import {
  closeSync,
  constants,
  fchmodSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { exitCodes, FailoverError, systemError } from '../errors.js';

/**
 * Puts a file with this text and mode, whatever the umask, in the place of what has its name: whoever reads it sees the one or the other,
 * whole (rename(2)). What is made first lies beside it, hidden. Throws FILE_UNFIT where the name is that of no regular file, also of a link;
 * SYSTEM_ERROR; nothing is left then.
 */
export function replaceFile(file: string, text: string, mode: number): void {
  const there = lstatSync(file, { throwIfNoEntry: false });
  // Not /dev/null, nor what a link leads to.
  if (there !== undefined && !there.isFile()) throw unfit(file);
  const beside = path.join(path.dirname(file), `.${path.basename(file)}.new`);
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  try {
    // Of a run that was killed.
    rmSync(beside, { force: true });
    const fd = openSync(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      const bytes = Buffer.from(text);
      for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      fchmodSync(fd, mode);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw systemError(error, `writing ${file}`);
  }
}

function unfit(file: string): FailoverError {
  return new FailoverError(`${file} is there, and is not a regular file: it was left as it is`, {
    code: 'FILE_UNFIT',
    exitCode: exitCodes.usage,
    operation: `writing ${file}`,
    hint: 'Name another file, or a directory in which there is none of that name yet.',
  });
}
