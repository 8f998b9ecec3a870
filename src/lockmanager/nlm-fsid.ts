import type { Action } from '../host/action.js';
import { flushExports } from '../host/actions/exports.js';
import { locksOf, verifyLocksGone } from './lockd/locks-gone.js';
import type { LockManager, LockManagerContext } from './port.js';

/**
 * The kernel interface of the NLM lock failover patches of 2006: an fsid written to nlm_unlock
 * drops its locks, one written to nlm_set_ip_grace gives it a grace period of its own (B-2).
 * No other file system and no other client notices. In no mainline kernel.
 */
export function nlmFsid(nfsd: string): LockManager {
  return {
    name: 'nlm-fsid',
    graceScope: 'fsid',
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
    beforeUnmount: (filesystems) => [flushExports(filesystems.map(({ mountpoint }) => mountpoint))],
    beforeGrace: () => [],
    enterGrace: ({ fsid }) => [writeFsid(`${nfsd}/nlm_set_ip_grace`, fsid)],
    inGrace: () => undefined,
    isUp: () => true,
  };
}

/** One write per fsid: `echo 1234 > FILE`, newline included (nfsctl.c takes nothing without one). */
function writeFsid(file: string, fsid: string): Action<LockManagerContext> {
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
