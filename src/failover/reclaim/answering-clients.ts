import { notifyNames } from '../../config/floating-ip.js';
import { notifyFrom } from '../../nsm/worker/notify-child.js';
import type { FailoverContext } from '../context.js';

/** How long a client is given to answer. */
const deadlineMs = 3_000;

/**
 * Which clients answer now. They are notified once more the state they were notified before: a statd that knows it answers, and
 * passes nothing on (nfs-utils utils/statd/callback.c, sm_notify_1_svc: only where the state differs). One that does pass it
 * on makes its kernel reclaim once more: so only those are asked who have reclaimed nothing.
 */
export async function answeringClients(
  { driver, floatingIp: ip, rpcbindPort, signal }: FailoverContext,
  clients: readonly string[],
  state: number,
): Promise<ReadonlySet<string>> {
  if (clients.length === 0) return new Set();
  const source = { address: ip.address, family: ip.family };
  const names = notifyNames(ip);
  const { notified } = await notifyFrom(driver.enter, {
    source,
    names,
    state,
    clients,
    deadlineMs,
    rpcbindPort,
    signal,
  });
  return new Set(notified);
}
