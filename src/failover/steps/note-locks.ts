import type { FloatingIp } from '../../config/config.js';
import type { Action } from '../../host/action.js';
import type { LockManager } from '../../lockmanager/port.js';
import type { FailoverContext } from '../context.js';
import { heldLocks } from '../reclaim/held-locks.js';

/**
 * A-1, last: what is held goes into the record, to be compared when the next owner's grace is over. Only now, as with the
 * address down and its connections cut no client can change it any more, and before drop it.
 */
export function noteLocks(
  ip: FloatingIp,
  { heldLocksText }: Pick<LockManager, 'heldLocksText'>,
): Action<FailoverContext> {
  return {
    commands: [
      `# ${heldLocksText}, on ${ip.filesystems.map(({ mountpoint }) => mountpoint).join(', ')}, go into monitors.db, for "nlm-failover audit" after the takeover`,
    ],
    repeats: true,
    check: ({ session }) => session.record === undefined,
    act: async (context) => {
      const { session } = context;
      const locks = await heldLocks(context, ip);
      // Not noted: the audit of the next owner then goes by the clients, as after a crash.
      if (locks === undefined) return `what is locked cannot be known with ${context.driver.name}`;
      session.asOwner('noting the locks held', (record) =>
        record.noteHeldLocks(session.epoch, locks, undefined),
      );
      return locks.length === 0 ? undefined : `${locks.length} lock${locks.length === 1 ? '' : 's'} held`;
    },
    verify: () => undefined,
  };
}
