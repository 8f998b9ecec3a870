import { counted } from '../../counted.js';

/** What decides whether the grace may end before its time. */
export interface GraceEvidence {
  /** [lock_manager].end_grace. */
  readonly wish: 'reclaimed' | 'timer';
  /** The driver's name, and whether it can end the grace of this address alone. */
  readonly driver: string;
  readonly canEnd: boolean;
  /** The record is that of the epoch in which this command has the address. */
  readonly isThisEpoch: boolean;
  /** B-2 was done by takeover, in this epoch; so the list of clients, and the grace, are its own. */
  readonly entered: boolean;
  /** How often in this epoch. */
  readonly graces: number;
  /** The address was released before, and what was held then was noted. */
  readonly planned: boolean;
  /** Why more may have been held than was noted, as a clause. */
  readonly noteGap: string | undefined;
  /** Clients on the list that have not answered SM_NOTIFY. */
  readonly notNotified: number;
  /** Locks that were noted; of those, not held now. Undefined: what is held now cannot be known. */
  readonly held: number;
  readonly missing: number | undefined;
}

/**
 * Why the grace must go on, as a clause; undefined: it may end now, as whatever it is for is done.
 *
 * What makes that certain: nobody but clients that reclaim gets a lock in grace, what was held at the release is noted whole, with
 * the address down, and all of it is held again. After a crash nobody knows what was held; then, and wherever anything here
 * is missing or not known, the grace ends by its timer.
 *
 * What /proc/locks does not show, and what an early end means for it (Linux fs/lockd):
 * - Requests that wait (svclock.c, nlm_blocked): they are the client's to repeat. Its reclaimer takes back what was granted, and
 *   then wakes whoever waits for a lock (clntlock.c, reclaimer); they ask anew, as everybody does, and are refused until the
 *   grace is over. An early end lets them in earlier, in no other order.
 * - Share reservations of DOS and Windows clients (svcshare.c, nlm_share; Linux clients have none). lockd of Linux 6.1 and 6.12
 *   does not read that a SHARE is a reclaim (xdr4.c, nlm4svc_decode_shareargs), so it refuses each one in grace: they come
 *   back when it is over, the earlier the better; and it monitors nobody for them. Where its decoders are made by xdrgen it takes
 *   these reclaims in grace and, as nlm4svc_proc_share asks for nothing else, after it too, but then another client may have come
 *   first: a site with such clients says "timer".
 * - A lock that a client has given back while nobody served: lockd refuses to unlock in grace (svc4proc.c,
 *   __nlm4svc_proc_unlock), and the client repeats it (clntproc.c, nlmclnt_unlock_callback). It is missing, so the grace goes on.
 * - Locks that were not taken through NLM are not lockd's, and nothing of this grace.
 */
export function whyGraceGoesOn(evidence: GraceEvidence): string | undefined {
  const { wish, driver, canEnd, isThisEpoch, entered, graces, planned, noteGap, notNotified, held, missing } =
    evidence;
  if (wish === 'timer') return 'end_grace = "timer"';
  if (!canEnd) return `the driver ${driver} cannot end it for this address alone`;
  if (!isThisEpoch) return 'the record is that of another takeover';
  if (!planned) return 'no release noted what was locked';
  if (noteGap !== undefined) return `A-1 may not have noted every lock: ${noteGap}`;
  if (!entered) return 'B-2 was not done by this takeover';
  if (graces !== 1) return 'it was entered again, and locks taken meanwhile are not noted';
  if (notNotified > 0) return `${counted(notNotified, 'client')} not notified`;
  if (missing === undefined) return 'what is locked now cannot be known';
  if (missing > 0) return `${missing} of ${counted(held, 'lock')} not held again`;
  return undefined;
}
