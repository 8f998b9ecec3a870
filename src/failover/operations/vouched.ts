import type { Host } from '../../host/host.js';
import { provedMark } from '../../record/record.js';
import type { RecordSession } from '../access/session.js';
import type { FailoverContext } from '../context.js';

/** Of nobody who has logged in: a daemon, a cluster manager (AUDIT_UID_UNSET, include/uapi/linux/audit.h). */
const unset = '4294967295';

/**
 * Whose word or proof it took to take the address from a node that had not released it, for the record; undefined where none was needed.
 * "--fenced, login uid 1000: A had not released it"; see fencingText.
 */
export function vouchedBy({ session, host }: Pick<FailoverContext, 'session' | 'host'>): string | undefined {
  const { takenFrom } = session;
  if (takenFrom === undefined) return undefined;
  const fencing = fencingText(session);
  if (fencing !== undefined) return fencing;
  const login = loginUid(host);
  return `--fenced${login === undefined ? '' : `, login uid ${login}`}: ${takenFrom} had not released it`;
}

/** "fencing: A was fenced (reboot) by B (Pacemaker, 2026-11-27T14:48:15.000Z), before epoch 4 was claimed"; undefined: nothing was proved. */
export function fencingText({ proof, epoch }: Pick<RecordSession, 'proof' | 'epoch'>): string | undefined {
  return proof === undefined ? undefined : `${provedMark}${proof.said}, before epoch ${epoch} was claimed`;
}

/** Who logged in, whatever su(1) and sudo(8) made of them since (fs/proc/base.c, proc_loginuid_read); a kernel without audit has no such file. */
function loginUid(host: Host): string | undefined {
  const uid = host.readText('/proc/self/loginuid')?.trim();
  return uid !== undefined && /^\d+$/.test(uid) && uid !== unset ? uid : undefined;
}
