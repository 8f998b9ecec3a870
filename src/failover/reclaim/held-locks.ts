import type { FloatingIp } from '../../config/config.js';
import type { HeldLock } from '../../record/record.js';
import type { FailoverContext } from '../context.js';

/** What the lock manager holds on the file systems of an address; undefined where it cannot be known of each of them. */
export async function heldLocks(
  { driver }: Pick<FailoverContext, 'driver'>,
  { filesystems, shared }: FloatingIp,
): Promise<HeldLock[] | undefined> {
  // Of what every node exports nobody can know which of a node's locks are held through which address.
  if (shared !== undefined) return undefined;
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
