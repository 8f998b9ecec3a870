import { systemError } from '../../errors.js';
import { within } from '../../host/running/deadline.js';
import { isFrozen, thawServing } from '../../rundir/serving.js';
import type { FailoverContext } from '../context.js';
import { notifyLimit } from '../limits.js';
import { interrupted, notifyRecorded } from '../steps/notify-clients.js';
import { operate, type OperationResult } from './operation.js';

/** `nlm-failover notify`: B-3 again, for those still not notified, with the state they should have been notified. */
export async function renotify(context: FailoverContext): Promise<OperationResult> {
  const { session, floatingIp } = context;
  return operate(context, 'notify', async (log) => {
    session.open({ create: false });
    const record = session.opened;
    session.expectOwner();
    session.useReserve('serving');
    record.fold();
    log.begin();
    const { notified, notNotified, remarks } = await within(notifyLimit(context), () =>
      notifyRecorded(context, floatingIp, session),
    );
    if (context.signal.aborted && notNotified.length > 0)
      throw interrupted('notify', floatingIp, { notified, notNotified });
    thaw(context);
    const outcome = notNotified.length > 0 ? 'not-notified' : 'done';
    const clients = { notified, notNotified: notNotified.length };
    log.end(outcome, `${notified} notified, ${notNotified.length} not notified`, clients);
    return {
      outcome,
      clients,
      notNotified,
      undone: [],
      remarks,
    };
  });
}

/** By now as good as B-3, where `--steps` left that out. Throws FailoverError SYSTEM_ERROR. */
function thaw({ run, floatingIp: { address } }: FailoverContext): void {
  if (!isFrozen(run, address)) return;
  try {
    thawServing(run, address);
  } catch (error) {
    throw systemError(error, `notify ${address}`);
  }
}
