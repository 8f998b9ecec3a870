import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { unsafe } from './files.js';

/**
 * Makes the directories from a mount point down to a state directory that lies on its volume, mode 0711.
 * The volume is exported: where clients may write at its top they could have put a symbolic link, or a
 * directory of their own, in the way. Throws RECORD_UNSAFE unless each is a real directory of this process's user
 * that nobody else can write to or, by way of its parent, replace.
 */
export function makeStateDirectory(mountpoint: string, stateDirectory: string): void {
  const names = path.relative(mountpoint, stateDirectory).split(path.sep).filter(Boolean);
  let parent = mountpoint;
  for (const name of names) {
    const { mode } = lstatSync(parent);
    if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0) {
      throw unsafe(parent, 'is writable by others and not sticky');
    }
    const directory = path.join(parent, name);
    if (lstatSync(directory, { throwIfNoEntry: false }) === undefined) mkdirSync(directory, 0o711);
    const found = lstatSync(directory);
    if (!found.isDirectory()) throw unsafe(directory, 'is not a directory, or only a symbolic link to one');
    if (found.uid !== process.getuid?.()) throw unsafe(directory, `belongs to uid ${found.uid}`);
    if ((found.mode & 0o022) !== 0) throw unsafe(directory, 'is writable by others');
    // Whatever the umask, and also after a run that was killed between the two: statd's user passes through.
    if ((found.mode & 0o011) !== 0o011) chmodSync(directory, 0o711);
    parent = directory;
  }
}
