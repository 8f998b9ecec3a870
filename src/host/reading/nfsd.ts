import type { Host } from '../host.js';
import { isInstalled } from '../running/command.js';
import { mounts } from './mounts.js';

/** RPC program number of the network lock manager (X/Open NFS, NLM). */
export const nlmProgram = 100021;

/** nfsd's file system is registered, or its module lies ready to be loaded by mount(8). */
export async function hasNfsd(host: Host): Promise<boolean> {
  if (host.kind === 'rehearsal' || /^nodev\tnfsd$/m.test(host.readText('/proc/filesystems') ?? ''))
    return true;
  if (!isInstalled('modinfo')) return false;
  return (await host.run(['modinfo', '-n', 'nfsd'], { short: true })).exitCode === 0;
}

/** How many nfsd threads run in this network namespace; 0 also where nfsd's file system is not mounted. */
export function nfsdThreads(host: Host, nfsd: string): number {
  const count = Number.parseInt(host.readText(`${nfsd}/threads`) ?? '0', 10);
  return Number.isNaN(count) ? 0 : count;
}

/**
 * Whether lockd's own grace period runs: `N` in nlm_end_grace (fs/lockd/procfs.c), undefined
 * where the kernel has no such file.
 */
export function lockdInGrace(host: Host): boolean | undefined {
  const ended = host.readText('/proc/fs/lockd/nlm_end_grace');
  // The file reads "N\n\0": simple_read_from_buffer is given the terminating NUL as well.
  return ended === undefined ? undefined : ended.startsWith('N');
}

/**
 * Whether reclaims are accepted: while lockd's grace runs or nfsd's, which begins with its first thread even where only
 * version 3 is served (fs/nfs_common/grace.c keeps one list of both per network namespace). Undefined where
 * the kernel tells neither.
 */
export function inGrace(host: Host, nfsd: string): boolean | undefined {
  const lockd = lockdInGrace(host);
  const own = nfsdInGrace(host, nfsd);
  if (lockd === undefined && own === undefined) return undefined;
  return lockd === true || own === true;
}

/** Whether nfsd's own grace period runs; undefined where the kernel does not say. */
export function nfsdInGrace(host: Host, nfsd: string): boolean | undefined {
  return host.readText(`${nfsd}/v4_end_grace`)?.startsWith('N');
}

/** Seconds for which a lock manager that starts now accepts reclaims: the longer of lockd's and nfsd's grace. */
export function graceSeconds(host: Host, nfsd: string): number {
  return Math.max(lockdGraceSeconds(host), nfsdGraceSeconds(host, nfsd));
}

/**
 * Of lockd, were it to start now: five nlm_timeouts, or nlm_grace_period made a multiple of one (fs/lockd/svc.c,
 * get_lockd_grace_period). On Linux 6.1 12 was seen to be 20. `period`: what nlm_grace_period is about to be.
 */
export function lockdGraceSeconds(
  host: Host,
  period = number(host.readText('/proc/sys/fs/nfs/nlm_grace_period')),
): number {
  const timeout = number(host.readText('/proc/sys/fs/nfs/nlm_timeout')) || 10;
  return period === 0 ? 5 * timeout : Math.ceil(period / timeout) * timeout;
}

/** Of nfsd, which keeps reclaims accepted in its network namespace also where it serves only NFSv3 (fs/nfsd/nfs4state.c). */
export function nfsdGraceSeconds(host: Host, nfsd: string): number {
  return number(host.readText(`${nfsd}/nfsv4gracetime`));
}

/** NFSv2/3 mounts with locking: each keeps lockd running, so that nfsd's start is no grace. */
export function nlmClientMounts(host: Host): string[] {
  return mounts(host)
    .filter(({ type, superOptions }) => {
      const options = superOptions.split(',');
      return (
        type === 'nfs' &&
        !options.includes('nolock') &&
        !options.some((option) => option.startsWith('vers=4'))
      );
    })
    .map(({ mountpoint }) => mountpoint);
}

function number(text: string | undefined): number {
  const value = Number.parseInt(text ?? '', 10);
  return Number.isNaN(value) ? 0 : value;
}
