import { within } from '../../host/running/deadline.js';
import type { FailoverContext } from '../context.js';
import { notifyLimit } from '../limits.js';
import { interrupted, notifyRecorded } from '../steps/notify-clients.js';
import { operate, type OperationResult } from './operation.js';

/** `nlm-failover notify`: B-3 again, for those still untold, with the state they should have been told. */
export async function renotify(context: FailoverContext): Promise<OperationResult> {
  const { session, floatingIp } = context;
  return operate(context, 'notify', async (log) => {
    session.open({ create: false });
    const record = session.opened;
    session.expectOwner();
    record.fold();
    log.begin();
    const { told, untold, remarks } = await within(notifyLimit(context), () =>
      notifyRecorded(context, floatingIp, session),
    );
    if (context.signal.aborted && untold.length > 0)
      throw interrupted('notify', floatingIp, { told, untold });
    const outcome = untold.length > 0 ? 'untold' : 'done';
    log.end(outcome, `${told} told, ${untold.length} untold`);
    return { outcome, clients: { told, untold: untold.length }, untold, remarks };
  });
}
