import { kernelDefaults } from './kernel.js';
import { locksOf, verifyLocksGone } from './lockd/locks-gone.js';
import type { LockManager, LockManagerAction, ServingPlace } from './port.js';

/**
 * The kernel interface of the NLM lock failover patches of 2006: an fsid written to nlm_unlock
 * drops its locks, one written to nlm_set_ip_grace gives it a grace period of its own (B-2).
 * No other file system and no other client notices. In no mainline kernel.
 */
export function nlmFsid(place: ServingPlace, nfsd: string): LockManager {
  return {
    ...kernelDefaults(place, nfsd),
    name: 'nlm-fsid',
    gracePerFsid: true,
    graceTakesLocksOf: 'fsid',
    graceTakesExports: false,
    // lockd is not started anew.
    announcesAgain: false,
    dropLocks: (filesystem) => [
      {
        ...writeFsid(`${nfsd}/nlm_unlock`, filesystem.fsid),
        check: (context) => {
          locksOf(context, filesystem); // throws where another device is mounted: then no fsid is written
          return false;
        },
        verify: (context) => verifyLocksGone(context, filesystem),
      },
    ],
    enterGrace: ({ fsid }) => [writeFsid(`${nfsd}/nlm_set_ip_grace`, fsid)],
    // The kernel tells of no grace but its own.
    inGrace: async () => undefined,
    isUp: async () => true,
  };
}

/** One write per fsid: `echo 1234 > FILE`, newline included (nfsctl.c takes nothing without one). */
function writeFsid(file: string, fsid: string): LockManagerAction {
  return {
    commands: [`echo ${fsid} > ${file}`],
    check: () => false,
    act: async ({ host }) => {
      await host.writeKernel(file, `${fsid}\n`);
      return undefined;
    },
    verify: () => undefined,
  };
}
