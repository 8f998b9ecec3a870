import { isRecording } from '../../rundir/serving.js';
import type { FailoverContext } from '../context.js';
import { isOwed, otherAffected } from './other-addresses.js';

/**
 * Why B-2 must not be done again, or undefined when it must. Run twice it would take the locks that
 * clients have reclaimed since, so it is done once per epoch, unless the lock manager or the journal has
 * gone meanwhile, or the grace has passed before those were notified who are to be.
 */
export async function graceIsDone(context: FailoverContext, fsid: string): Promise<string | undefined> {
  const { session, run, floatingIp, driver } = context;
  const record = session.opened;
  if (!isRecording(run, floatingIp.address)) return undefined;
  const { epoch } = session;
  if (!record.stepDone({ epoch, step: 'B-2', fsid }) || !(await driver.isUp(context))) return undefined;
  // B-3 that had nobody to notify was skipped, and is done all the same.
  if (record.stepDone({ epoch, step: 'B-3' }) || nobodyToNotify(context) !== undefined)
    return `done before in epoch ${epoch}`;
  // This node may be in grace still, or for another address, and the others not.
  if (floatingIp.shared !== undefined) return undefined;
  return (await driver.inGrace()) === true ? `entered before in epoch ${epoch}, and still in it` : undefined;
}

/**
 * Whether the grace that B-2 of this epoch began is over, here or on another node that exports the file systems, and clients are still to be notified, as when B-5 or B-4 had to wait for
 * something, or the lock manager was started anew since: their reclaims would be refused, or not recorded. Done again, B-2 enters a new one.
 */
export async function isGraceMissed(context: FailoverContext): Promise<boolean> {
  const { session, driver, collected } = context;
  const { epoch } = session;
  const { everywhereUntil = Number.POSITIVE_INFINITY } = collected;
  return (
    session.opened.stepDone({ epoch, step: 'B-2' }) &&
    !session.opened.stepDone({ epoch, step: 'B-3' }) &&
    nobodyToNotify(context) === undefined &&
    (performance.now() > everywhereUntil ||
      (await driver.inGrace()) === false ||
      // Started anew it is in a grace of its own: it has forgotten whom it monitored, and what it was told to export.
      (driver.noteServer !== undefined && !(await driver.isUp(context))))
  );
}

/**
 * Whether B-2 of this epoch has made the list of whom to notify. Where somebody else does B-2
 * (`--steps` without it), B-3 makes it, once.
 */
export function listIsMade({ session }: FailoverContext): boolean {
  const { epoch } = session;
  return session.opened.stepDone({ epoch, step: 'B-2' }) || session.opened.stepDone({ epoch, step: 'B-3' });
}

/** Why B-3 has nothing to do, or undefined. */
export function nobodyToNotify(context: FailoverContext): string | undefined {
  const { session } = context;
  if (!listIsMade(context)) return undefined;
  const { notified, notNotified } = session.opened.notifyCounts();
  if (notNotified > 0) return undefined;
  if (otherAffected(context).some((other) => isOwed(context, other))) return undefined;
  return notified === 0 ? 'no client in the record' : `all ${notified} notified already`;
}
