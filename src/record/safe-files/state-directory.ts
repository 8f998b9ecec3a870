import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { unlessThere, unsafe } from './files.js';
import { holdDirectory } from './held-directory.js';

/**
 * Makes the directories from a mount point down to a state directory that lies on its volume, mode 0711.
 * The volume is exported: where clients may write at its top they could have put a symbolic link, or a
 * directory of their own, in the way. Throws RECORD_UNSAFE unless each is a real directory that nobody but root, and this
 * process's user, can write to or replace.
 */
export function makeStateDirectory(mountpoint: string, stateDirectory: string): void {
  let at = holdDirectory(mountpoint);
  if (at === undefined) return; // not there: who opens the record says so
  try {
    for (const name of path.relative(mountpoint, stateDirectory).split(path.sep).filter(Boolean)) {
      const place = at.at(name);
      unlessThere(() => mkdirSync(place, 0o711));
      const made = at.enter(name);
      if (made === undefined) throw unsafe(path.join(at.path, name), 'is removed by somebody else');
      at.close();
      at = made;
      const { mode } = at.stats;
      at.assertOurs();
      if ((mode & 0o022) !== 0) throw unsafe(at.path, 'is writable by others');
      // Whatever the umask, and also after a run that was killed between the two: statd's user passes through.
      if ((mode & 0o011) !== 0o011) at.chmod(0o711);
    }
  } finally {
    at.close();
  }
}
