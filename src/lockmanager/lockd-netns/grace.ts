import { writeFileSync } from 'node:fs';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Action } from '../../host/action.js';
import { bootClock } from '../../host/reading/boot.js';
import { lockdGraceSeconds, lockdInGrace, nfsdInGrace, nfsdThreads } from '../../host/reading/nfsd.js';
import type { Host } from '../../host/host.js';
import { insideInstance } from './inside.js';
import { instancePlace, instancePrefix } from './place.js';

/**
 * The grace of an instance has two parts, and reclaims are accepted, and new locks refused, while either runs (fs/nfs_common/grace.c
 * keeps one list of both per network namespace):
 * - lockd's, as long as [lock_manager].grace says. It can be ended: see endLockdGrace.
 * - nfsd's, which is NFSv4's and begins with nfsd's first thread even though only version 3 is served. It cannot be ended here:
 *   v4_end_grace answers EBUSY without NFSv4 client tracking, which an instance has not (fs/nfsd/nfs4state.c,
 *   nfsd4_force_end_grace). So it is as short as the kernel takes it (fs/nfsd/nfsctl.c, __nfsd4_write_time).
 */
export const nfsdGrace = 10;

/** Seconds of both parts, from their common beginning. */
interface GraceParts {
  readonly lockd: number;
  readonly nfsd: number;
}

/** B-2, right before nfsd starts: when the grace begins, seconds since boot, and for how many seconds its parts run. */
export function noteGrace(host: Host, address: string, { lockd, nfsd }: GraceParts): void {
  const text = `${bootClock(host).uptime} ${lockd} ${nfsd}\n`;
  writeFileSync(instancePlace(address).graceFile, text, { mode: 0o644 });
}

/** What was noted; undefined where nothing was. */
function notedGrace(host: Host, address: string): (GraceParts & { readonly began: number }) | undefined {
  const text = host.readText(instancePlace(address).graceFile) ?? '';
  const [began = Number.NaN, lockd = Number.NaN, nfsd = lockd] = text.trim().split(' ').map(Number);
  return Number.isNaN(began + lockd + nfsd) ? undefined : { began, lockd, nfsd };
}

/** Seconds for which the grace of an instance runs; where none was noted, of one that starts now: `grace` is what is configured. */
export function wholeGrace(host: Host, address: string, grace: number | undefined): number {
  const parts = notedGrace(host, address) ?? { lockd: lockdGraceSeconds(host, grace), nfsd: nfsdGrace };
  return Math.max(parts.lockd, parts.nfsd);
}

/** Whether lockd's part runs in an instance, asked without waiting for the process that asks; undefined: the kernel does not say. */
export async function lockdPartRuns(inside: Host): Promise<boolean | undefined> {
  const { exitCode, stdout } = await inside.run(['cat', '/proc/fs/lockd/nlm_end_grace'], { short: true });
  return exitCode === 0 ? stdout.startsWith('N') : undefined;
}

/** Whether reclaims are accepted in an instance; true too where nfsd runs and the kernel does not say. */
export async function isInGrace(inside: Host, nfsd: string): Promise<boolean> {
  if (nfsdThreads(inside, nfsd) === 0) return false;
  const own = nfsdInGrace(inside, nfsd);
  return own === true || ((await lockdPartRuns(inside)) ?? own === undefined);
}

/**
 * Whole seconds, rounded up, until the grace of an instance ends by itself, where of its parts those run that are given; 0 once
 * they should have ended, undefined where none was noted. Whether they run only the kernel knows: see host/reading/nfsd.
 */
export function graceLeft(
  host: Host,
  address: string,
  runs: Readonly<Record<keyof GraceParts, boolean>>,
): number | undefined {
  const noted = notedGrace(host, address);
  if (noted === undefined) return undefined;
  const length = Math.max(runs.lockd ? noted.lockd : 0, runs.nfsd ? noted.nfsd : 0);
  return Math.max(0, Math.ceil(noted.began + length - Number(bootClock(host).uptime)));
}

/** lockd's part ends; the kernel then does for this network namespace what it does when the time is over (fs/lockd/procfs.c). */
export function endLockdGrace(address: string): Action<object> {
  const file = '/proc/fs/lockd/nlm_end_grace';
  const inside = insideInstance(address);
  return {
    commands: [`${instancePrefix(address).join(' ')} sh -c 'echo Y > ${file}'`],
    // Harmless where it has ended (fs/nfs_common/grace.c, locks_end_grace), and sooner done than asked for.
    check: () => false,
    act: async () => {
      await inside.writeKernel(file, 'Y\n');
      return undefined;
    },
    verify: () => {
      if (lockdInGrace(inside) !== false)
        throw new FailoverError(
          `lockd of ${address} is in its grace period still, after "echo Y > ${file}"`,
          {
            code: 'NOT_VERIFIED',
            exitCode: exitCodes.stepFailed,
            operation: 'ending the grace',
            hint: 'It ends by itself.',
          },
        );
    },
  };
}
