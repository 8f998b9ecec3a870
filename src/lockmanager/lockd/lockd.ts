import {
  type Action,
  commandText,
  type HostContext,
  notSo,
  type Obstacle,
  runOrFail,
} from '../../host/action.js';
import type { Argv } from '../../host/host.js';
import { hasNfsd, lockdInGrace, nfsdThreads, nlmClientMounts, nlmProgram } from '../../host/reading/nfsd.js';
import { settleText, waitUntil } from '../../host/running/wait.js';
import { kernelDefaults } from '../kernel.js';
import { unlockFilesystem } from './unlock-filesystem.js';
import type { LockManager, LockManagerContext, ServingPlace } from '../port.js';

/**
 * Stock kernels. A-3 writes unlock_filesystem; B-2 starts lockd, which is the only thing that
 * begins a grace period there (fs/lockd/svc.c), and so takes every other address's locks as well.
 */
export function lockd(
  place: ServingPlace,
  { nfsd, restart }: { readonly nfsd: string; readonly restart: Argv },
): LockManager {
  return {
    ...kernelDefaults(place, nfsd),
    name: 'lockd',
    gracePerFsid: false,
    graceTakesLocksOf: 'node',
    // systemd's nfs-server.service unexports all that is not in /etc/exports when it stops (ExecStopPost=exportfs -au).
    graceTakesExports: true,
    announcesAgain: true,
    dropLocks: (filesystem) => [unlockFilesystem(nfsd, filesystem)],
    beforeGrace: () => [stopLockd(nfsd)],
    enterGrace: () => [startLockd(nfsd, restart)],
  };
}

/** B-2, first half: where lockd runs it goes down, completely, before anything starts it again. */
function stopLockd(nfsd: string): Action<LockManagerContext> {
  return {
    commands: [
      `echo 0 > ${nfsd}/threads   # only where nfsd runs`,
      `# wait until "rpcinfo -p" no longer lists program ${nlmProgram}: a lock manager that is started while the old one ends answers a reclaim twice`,
    ],
    byHand: [
      `echo 0 > ${nfsd}/threads`,
      `while rpcinfo -p | grep -q ${nlmProgram}; do sleep 1; done   # a lock manager that is started while the old one ends answers a reclaim twice`,
    ],
    look: async (context) => {
      refuseClientMounts(context);
      if (!(await hasNfsd(context.host))) return [noNfsd];
      await refuseSilentRpcbind(context);
      return [];
    },
    check: async (context) => {
      refuseClientMounts(context);
      if (nfsdThreads(context.host, nfsd) === 0) return true;
      await refuseSilentRpcbind(context);
      return false;
    },
    act: async ({ host, nlmRegistered }) => {
      await host.writeKernel(`${nfsd}/threads`, '0\n');
      // Seen: under 0.2 s.
      await waitUntil(host, 'lockd to leave rpcbind', async () => (await nlmRegistered()) === false);
      return undefined;
    },
    verify: async (context) => {
      if (nfsdThreads(context.host, nfsd) > 0) {
        throw notSo('B-2', `nfsd still has threads after "echo 0 > ${nfsd}/threads"`);
      }
      const left = await whetherRegistered(context);
      if (left !== false) {
        throw notSo(
          'B-2',
          `${left === undefined ? 'rpcbind of this host does not answer' : 'lockd is still registered with rpcbind'} ${settleText()} after nfsd ended. nfsd is down on this node now`,
          'See "rpcinfo -p", and what keeps lockd running. Then run the same command again: it starts nfsd.',
        );
      }
    },
  };
}

const noNfsd: Obstacle = {
  message: 'This kernel has no nfsd',
  hint: 'Install the kernel that has it, or its module, and nfs-utils.',
};

/** lockd with another user does not stop, so its start would be no grace: better to say so before nfsd is touched. */
function refuseClientMounts({ host }: HostContext): void {
  const mounted = nlmClientMounts(host);
  if (mounted.length > 0) {
    throw notSo(
      'B-2',
      `An NFSv3 mount on this host (${mounted.join(', ')}) keeps lockd running, so that a restart of nfsd begins no grace period: nothing was restarted`,
      'Unmount it, or mount it with nolock or vers=4.',
    );
  }
}

/**
 * Without rpcbind's word nobody knows when the old lock manager has ended, or that the new one is there: so it is asked before
 * nfsd goes down for every address of this node.
 */
async function refuseSilentRpcbind({ host, nlmRegistered }: LockManagerContext): Promise<void> {
  const answers = () => nlmRegistered().then((answer) => answer !== undefined);
  if (await waitUntil(host, 'rpcbind of this host (127.0.0.1 port 111)', answers)) return;
  throw notSo(
    'B-2',
    `rpcbind of this host (127.0.0.1 port 111) has not answered for ${settleText()}: nfsd was not restarted`,
    'See with "rpcinfo -p" that it runs. Then run the same command again.',
  );
}

/**
 * Whether rpcbind has lockd, by its first answer: on a busy machine one question of a healthy rpcbind was seen to go unanswered, which had a lock manager
 * that had just started started again. Undefined: none for as long as things may take to settle.
 */
async function whetherRegistered({ host, nlmRegistered }: LockManagerContext): Promise<boolean | undefined> {
  let answer: boolean | undefined;
  const hasAnswered = async () => (answer = await nlmRegistered()) !== undefined;
  await waitUntil(host, 'rpcbind of this host (127.0.0.1 port 111)', hasAnswered);
  return answer;
}

/** B-2, second half: lockd starts, and its grace period with it. */
function startLockd(nfsd: string, restart: Argv): Action<LockManagerContext> {
  const operation = commandText(restart);
  return {
    commands: [
      operation,
      `# wait until "rpcinfo -p" lists program ${nlmProgram}: a client that is notified before gives up its reclaim`,
    ],
    byHand: [operation, `until rpcinfo -p | grep -q ${nlmProgram}; do sleep 1; done`],
    programs: [restart[0]],
    check: () => false,
    act: async ({ host, nlmRegistered }) => {
      await runOrFail(
        host,
        restart,
        'nfsd is down on this node until that command works: see [lock_manager].restart.',
      );
      await waitUntil(
        host,
        'lockd to register with rpcbind of this host',
        async () => (await nlmRegistered()) === true,
      );
      return undefined;
    },
    verify: async (context) => {
      const { host } = context;
      if (nfsdThreads(host, nfsd) === 0) throw notSo('B-2', `nfsd has no threads after "${operation}"`);
      const registered = await whetherRegistered(context);
      if (registered !== true) {
        throw notSo(
          'B-2',
          `${registered === undefined ? 'rpcbind of this host (127.0.0.1 port 111) does not answer' : 'lockd is not registered with rpcbind'} ${settleText()} after "${operation}"`,
          'See with "rpcinfo -p" that rpcbind runs.',
        );
      }
      if (lockdInGrace(host) === false) {
        throw notSo(
          'B-2',
          `lockd runs but is not in its grace period after "${operation}": reclaims would be refused`,
          'Something ended the grace. A stock sm-notify that has nobody to notify does: set lift-grace=n in [sm-notify] of /etc/nfs.conf.',
        );
      }
    },
  };
}
