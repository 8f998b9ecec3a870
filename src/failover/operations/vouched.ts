import type { Host } from '../../host/host.js';
import type { FailoverContext } from '../context.js';

/** Of nobody who has logged in: a daemon, a cluster manager (AUDIT_UID_UNSET, include/uapi/linux/audit.h). */
const unset = '4294967295';

/**
 * Whose word it took to take the address from a node that had not released it, for the record; undefined where no word was needed.
 * "--fenced, login uid 1000: A had not released it".
 */
export function vouchedBy({ session, host }: Pick<FailoverContext, 'session' | 'host'>): string | undefined {
  const { takenFrom } = session;
  if (takenFrom === undefined) return undefined;
  const login = loginUid(host);
  return `--fenced${login === undefined ? '' : `, login uid ${login}`}: ${takenFrom} had not released it`;
}

/** Who logged in, whatever su(1) and sudo(8) made of them since (fs/proc/base.c, proc_loginuid_read); a kernel without audit has no such file. */
function loginUid(host: Host): string | undefined {
  const uid = host.readText('/proc/self/loginuid')?.trim();
  return uid !== undefined && /^\d+$/.test(uid) && uid !== unset ? uid : undefined;
}
