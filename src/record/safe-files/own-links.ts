import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../../errors.js';
import { unsafe } from './files.js';
import { guarded } from '../record-error.js';

/** As the kernel has it (MAXSYMLINKS, include/linux/namei.h). */
const mostLinks = 40;

/**
 * Throws RECORD_UNSAFE where a symbolic link on the way to `directory` is somebody else's to turn elsewhere: it belongs to another
 * user than root and this process's, or lies in a directory where others may put another one in its place. What is not
 * there yet is no error.
 */
export function assertOwnLinks(directory: string): void {
  guarded(`looking at ${directory}`, () => walk(directory));
}

function walk(directory: string): void {
  let rest = directory.split('/').filter(Boolean);
  let at = '/';
  let links = 0;
  for (;;) {
    const [name, ...others] = rest;
    if (name === undefined) return;
    rest = others;
    const next = path.join(at, name);
    const found = lstatIfThere(next);
    if (found === undefined) return;
    if (!found.isSymbolicLink()) {
      at = next;
      continue;
    }
    links += 1;
    if (links > mostLinks) throw unsafe(next, 'is one of too many symbolic links');
    checkLink(next, found, lstatSync(at), at);
    const target = readlinkSync(next);
    rest = [...target.split('/').filter(Boolean), ...rest];
    if (target.startsWith('/')) at = '/';
  }
}

function checkLink(link: string, { uid }: Stats, parent: Stats, directory: string): void {
  if (!isOurs(uid)) throw unsafe(link, `is a symbolic link that belongs to uid ${uid}`);
  if (!isOurs(parent.uid))
    throw unsafe(link, `is a symbolic link in ${directory}, which belongs to uid ${parent.uid}`);
  const sticky = (parent.mode & 0o1000) !== 0;
  if ((parent.mode & 0o022) !== 0 && !sticky)
    throw unsafe(link, `is a symbolic link in ${directory}, which is writable by others`);
}

function isOurs(uid: number): boolean {
  return uid === 0 || uid === (process.getuid?.() ?? 0);
}

function lstatIfThere(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
