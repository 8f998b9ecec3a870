import type { Action } from '../../host/action.js';
import { nfsdThreads } from '../../host/reading/nfsd.js';
import { locksOf, verifyLocksGone } from './locks-gone.js';
import type { LockedFilesystem, LockManagerContext } from '../port.js';

/**
 * Drops the NLM locks of the whole superblock, in every network namespace. unlock_ip is not
 * used: a file system has one floating IP, so it could drop nothing more, and on Linux 6.1 it reads
 * beyond the address it was given (swapped arguments, see locks-gone).
 */
export function unlockFilesystem(nfsd: string, filesystem: LockedFilesystem): Action<LockManagerContext> {
  const file = `${nfsd}/unlock_filesystem`;
  const path = escapeOctal(filesystem.mountpoint);
  return {
    commands: [
      `echo '${path}' > ${file}   # then see in /proc/locks that no lockd lock of ${filesystem.device} is left`,
    ],
    // locksOf has proved that the path is a mount point: on any other path the kernel would take the parent's locks.
    check: (context) => locksOf(context, filesystem)?.length === 0,
    act: async ({ host }) => {
      // With nfsd down there is nothing to drop, and Linux 6.9 to 6.18 crash on this write.
      if (nfsdThreads(host, nfsd) === 0) return 'nfsd is not running';
      await host.writeKernel(file, `${path}\n`);
      return undefined;
    },
    verify: (context) => verifyLocksGone(context, filesystem),
  };
}

/** fs/nfsd/nfsctl.c reads the path with qword_get: blank, tab, newline and backslash as \ooo. */
function escapeOctal(path: string): string {
  return path.replace(/[\s\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
