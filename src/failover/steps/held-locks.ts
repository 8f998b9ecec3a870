import type { FloatingIp } from '../../config/config.js';
import type { Action } from '../../host/action.js';
import { locksOf } from '../../lockmanager/lockd/locks-gone.js';
import type { HeldLock } from '../../record/record.js';
import type { FailoverContext } from '../context.js';

/** What the lock manager holds on the file systems of an address, by /proc/locks. Nothing where they are not mounted. */
export function heldLocks(
  { host, driver }: Pick<FailoverContext, 'host' | 'driver'>,
  { filesystems }: FloatingIp,
): HeldLock[] {
  const { place } = driver;
  if (place !== undefined && !place.exists()) return [];
  const alike = new Map<string, number>();
  return filesystems.flatMap((filesystem) =>
    locksOf({ host: place?.host ?? host }, filesystem).map(({ inode, mode, start, end }) => {
      const lock = { fsid: filesystem.fsid, inode, mode, start, end };
      const key = Object.values(lock).join(' ');
      const copy = alike.get(key) ?? 0;
      alike.set(key, copy + 1);
      return { ...lock, copy };
    }),
  );
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
      const locks = heldLocks(context, ip);
      session.asOwner('noting the locks held', (record) => record.noteHeldLocks(session.epoch, locks));
      return locks.length === 0 ? undefined : `${locks.length} lock${locks.length === 1 ? '' : 's'} held`;
    },
    verify: () => undefined,
  };
}
