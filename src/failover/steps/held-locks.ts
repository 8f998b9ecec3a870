import type { FloatingIp } from '../../config/config.js';
import type { Action } from '../../host/action.js';
import type { HeldLock } from '../../record/record.js';
import type { FailoverContext } from '../context.js';

/** What the lock manager holds on the file systems of an address; undefined where it cannot be known of each of them. */
export async function heldLocks(
  { driver }: Pick<FailoverContext, 'driver'>,
  { filesystems }: FloatingIp,
): Promise<HeldLock[] | undefined> {
  const alike = new Map<string, number>();
  const held: HeldLock[] = [];
  for (const filesystem of filesystems) {
    const locks = await driver.heldLocks(filesystem);
    if (locks === undefined) return undefined;
    for (const { inode, mode, start, end } of locks) {
      const lock = { fsid: filesystem.fsid, inode, mode, start, end };
      const key = Object.values(lock).join(' ');
      const copy = alike.get(key) ?? 0;
      alike.set(key, copy + 1);
      held.push({ ...lock, copy });
    }
  }
  return held;
}

/**
 * A-1, last: what is held goes into the record, to be compared when the next owner's grace is over. Only now, as with the
 * address down and its connections cut no client can change it any more, and before drop it.
 */
export function noteLocks(ip: FloatingIp): Action<FailoverContext> {
  return {
    commands: [
      `# lockd's locks on ${ip.filesystems.map(({ mountpoint }) => mountpoint).join(', ')} (/proc/locks) go into monitors.db, for "nlm-failover audit" after the takeover`,
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
