import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { errnoOf, exitCodes, FailoverError, systemError } from '../errors.js';
import { syncDirectory } from './directories.js';
import { putInPlace } from './in-place.js';
import { type Place, wayTo } from './way.js';

/**
 * Puts a file with this text and mode, whatever the umask, in the place of what has its name: whoever reads it sees the one or the other,
 * whole (rename(2)), also where two write it at once. What is made first lies beside it, hidden. Throws FILE_UNFIT where the name is that of no regular file, also of a link;
 * SYSTEM_ERROR; nothing is left then. `name`: what its sentences call it.
 */
export function replaceFile(file: string, text: string, mode: number, name = file): void {
  const there = lstatSync(file, { throwIfNoEntry: false });
  // Not /dev/null, nor what a link leads to.
  if (there !== undefined && !there.isFile()) throw unfit(name);
  put(file, text, mode, { name, isDurable: false });
}

/** The same, durable; what lies in its place, a link too, is replaced, not followed. Throws SYSTEM_ERROR. */
export function replaceDurably(file: string, text: string, mode: number): void {
  put(file, text, mode, { name: file, isDurable: true });
}

function put(
  file: string,
  text: string,
  mode: number,
  { name, isDurable }: { readonly name: string; readonly isDurable: boolean },
): void {
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  try {
    putInPlace(file, (beside) => {
      const fd = openSync(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
      try {
        const bytes = Buffer.from(text);
        for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
        fchmodSync(fd, mode);
        if (isDurable) fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
    if (isDurable) syncDirectory(path.dirname(file));
  } catch (error) {
    throw systemError(error, `writing ${name}`);
  }
}

/**
 * The same in a directory that may be another user's, as that of a daemon which reads the file: no symbolic link but root's, or this
 * user's, is followed on the way, and what is written lies in the directory that was looked at, whatever becomes of its name. `file`:
 * absolute. Throws FILE_UNFIT too where the directory is not there, or such a link leads to it.
 */
export async function replaceFileAmongOthers(file: string, text: string, mode: number): Promise<void> {
  const directory = path.dirname(file);
  const fd = await openDirectory(file, directory);
  try {
    replaceFile(`/proc/self/fd/${fd}/${path.basename(file)}`, text, mode, file);
  } finally {
    closeSync(fd);
  }
}

async function openDirectory(file: string, directory: string): Promise<number> {
  let last: Place | undefined;
  try {
    for await (const step of wayTo(directory)) {
      const { place, stats } = step;
      if (stats.isSymbolicLink() && stats.uid !== 0 && stats.uid !== process.getuid?.())
        throw unfit(file, `${place}, on the way to ${file}, is a symbolic link of uid ${stats.uid}`);
      last = step;
    }
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    const { dev, ino } = fstatSync(fd);
    if (last?.stats.dev === dev && last.stats.ino === ino) return fd;
    closeSync(fd);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw unfit(file, `The directory ${directory} is not there`);
    if (errnoOf(error) === 'ENOTDIR') throw unfit(file, `${directory} is no directory`);
    throw error;
  }
  throw unfit(file, `${directory} became another directory just now`);
}

function unfit(
  file: string,
  message = `${file} is there, and is not a regular file: it was left as it is`,
): FailoverError {
  return new FailoverError(message, {
    code: 'FILE_UNFIT',
    exitCode: exitCodes.usage,
    operation: `writing ${file}`,
    hint: 'Name another file, or a directory in which there is none of that name yet.',
  });
}
