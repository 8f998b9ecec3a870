import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
} from 'node:fs';
import path from 'node:path';
import { errnoOf, exitCodes, FailoverError } from '../errors.js';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes a directory below /run, or takes the one that is there, with exactly this mode and owner, whatever the umask: default
 * is this process's user. Its parents are made too. Nothing is followed: mode and owner are changed through a descriptor of a real
 * directory. Throws FailoverError RUN_UNSAFE where that is none, or belongs to anybody else than root, this user and `owner`.
 */
export function makeDirectory(directory: string, mode: number, owner?: Owner): void {
  mkdirSync(path.dirname(directory), { recursive: true, mode: 0o755 });
  try {
    mkdirSync(directory, mode);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  const fd = openReal(directory);
  try {
    const { uid } = fstatSync(fd);
    if (isForeign(uid, owner?.uid)) throw unsafe(directory, `belongs to uid ${uid}`);
    if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
    fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}

/**
 * What makeDirectory would throw for a directory that is there, RUN_UNSAFE; undefined: nothing, or it is not there. `owner`: a uid that
 * it may belong to beside root and this user.
 */
export function whyUnsafe(directory: string, owner?: number): FailoverError | undefined {
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  if (!found.isDirectory()) return unsafe(directory, noDirectory);
  return isForeign(found.uid, owner) ? unsafe(directory, `belongs to uid ${found.uid}`) : undefined;
}

/** Makes the names in a directory durable: what was made, renamed or removed in it (fsync(2), NOTES). */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function isForeign(uid: number, owner: number | undefined): boolean {
  return ![0, process.getuid?.(), owner].includes(uid);
}

const noDirectory = 'is not a directory, or only a symbolic link to one';

function openReal(directory: string): number {
  try {
    return openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR' || errnoOf(error) === 'ELOOP') {
      throw unsafe(directory, noDirectory);
    }
    throw error;
  }
}

function unsafe(directory: string, why: string): FailoverError {
  return new FailoverError(`${directory} ${why}: somebody else made it`, {
    code: 'RUN_UNSAFE',
    exitCode: exitCodes.stepFailed,
    operation: `making ${directory}`,
    hint: 'Find out who it was; then remove it, and run the same command again.',
  });
}
