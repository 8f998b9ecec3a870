import { closeSync, constants, fchmodSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { systemError } from '../errors.js';

/**
 * Puts a file with this text and mode, whatever the umask, in the place of what has its name: whoever reads it sees the one or the other,
 * whole (rename(2)). Links are not followed. What is made first lies beside it, hidden. Throws SYSTEM_ERROR; nothing is left then.
 */
export function replaceFile(file: string, text: string, mode: number): void {
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
