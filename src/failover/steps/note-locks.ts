import { counted } from '../../counted.js';
import type { FloatingIp } from '../../config/config.js';
import type { Action } from '../../host/action.js';
import type { LockManager } from '../../lockmanager/port.js';
import { bootClock } from '../../host/reading/boot.js';
import { mountOfDevice } from '../../host/reading/mounts.js';
import { servingSince } from '../../record/journal/serving-journal.js';
import { type HeldLock, isFull } from '../../record/record.js';
import type { FailoverContext } from '../context.js';
import { heldLocks } from '../reclaim/held-locks.js';

/** Readings of a list that others' locks change while it is read; see readLocks. */
const readings = 5;

/**
 * Every lock that is held, with the address down: what any of several readings shows, until two in a row show the same. The kernel
 * gives /proc/locks out in pieces of some 4 kB and counts its way to the next (fs/seq_file.c, fs/locks.c locks_start), so
 * that a lock goes missing from a reading when one before it, anybody's, goes meanwhile.
 */
async function readLocks(
  context: FailoverContext,
  ip: FloatingIp,
): Promise<{ readonly locks: HeldLock[]; readonly isSteady: boolean } | undefined> {
  const all = new Map<string, HeldLock>();
  let before: string | undefined;
  for (let reading = 0; reading < readings; reading += 1) {
    const locks = await heldLocks(context, ip);
    if (locks === undefined) return undefined;
    const keys = locks.map((lock) => JSON.stringify(lock));
    for (const [index, lock] of locks.entries()) all.set(keys[index] ?? '', lock);
    const now = keys.toSorted().join('\n');
    if (now === before) return { locks: [...all.values()], isSteady: true };
    before = now;
  }
  return { locks: [...all.values()], isSteady: false };
}

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
    byHand: ['cat /proc/locks   # what lockd holds: to be compared when the grace on the other node is over'],
    repeats: true,
    check: ({ session }) => session.record === undefined,
    act: async (context) => {
      const { session } = context;
      const read = await readLocks(context, ip);
      // Not noted: the audit of the next owner then goes by the clients, as after a crash.
      if (read === undefined) return `${context.driver.name} cannot say which locks are held`;
      const { locks, isSteady } = read;
      const gap = (await noteGap(context, ip)) ?? (isSteady ? undefined : 'the list of locks kept changing');
      const isNoted = unlessFull(() =>
        session.asOwner('noting the locks held', (record) => record.noteHeldLocks(session.epoch, locks, gap)),
      );
      if (!isNoted)
        return 'no space to note the locks held: the audit after the takeover goes by the clients';
      const held = `${counted(locks.length, 'lock')} held`;
      if (gap !== undefined) return `${held}, perhaps more: ${gap}`;
      return locks.length === 0 ? undefined : held;
    },
    verify: () => undefined,
  };
}

/** A-3, before the first lock is dropped: a lock that has come since A-1 is held for nobody who will be asked to reclaim it. */
export function noteLaterLocks(ip: FloatingIp): Action<FailoverContext> {
  return {
    commands: [],
    repeats: true,
    check: ({ session }) => session.record === undefined,
    act: async (context) => {
      const { session } = context;
      const locks = await heldLocks(context, ip);
      if (locks === undefined) return undefined;
      let later = 0;
      unlessFull(() => {
        later = session.asOwner('noting the locks held', (record) =>
          record.noteLaterLocks(session.epoch, locks),
        );
      });
      return later === 0 ? undefined : `${counted(later, 'lock')} taken since A-1`;
    },
    verify: () => undefined,
  };
}

/**
 * Why clients may believe in locks that are not held here now, as a clause; undefined: what is held is all. Who takes the address
 * over does not end its grace before its time then: somebody may still have a lock to reclaim that nobody noted.
 */
async function noteGap(context: FailoverContext, ip: FloatingIp): Promise<string | undefined> {
  const { host, driver, config, session } = context;
  const missing = ip.filesystems.find((filesystem) => mountOfDevice(host, filesystem) === undefined);
  if (missing !== undefined) return `${missing.mountpoint} was not mounted`;
  const since = servingSince(session.opened, config.node);
  if (since?.epoch !== session.epoch) return `node ${config.node} had not begun to serve the address`;
  if (since.bootId !== bootClock(host).bootId)
    return `node ${config.node} had booted since it took the address over`;
  if (!(await driver.isUp(context))) return 'the lock manager was not running';
  const runs = await driver.inGrace();
  const record = session.opened;
  const { notNotified } = record.notifyCounts();
  if (notNotified > 0) return `${counted(notNotified, 'client')} had not been notified`;
  const { planned, noteGap: gap, beganAt = 0 } = record.audit();
  const isWorkDone = planned && gap === undefined && record.heldLocks().every(({ reclaimed }) => reclaimed);
  // Also where a release that was stopped in grace is run again after it.
  const firstAt = record.firstReleaseAt(session.epoch) ?? host.now();
  const wasOver = runs === false && firstAt >= beganAt + driver.graceSeconds() * 1000;
  return wasOver || isWorkDone ? undefined : 'its last grace period was not over';
}

/** Writes what is not worth a release: false where there is no space for it. */
function unlessFull(write: () => void): boolean {
  try {
    write();
    return true;
  } catch (error) {
    if (isFull(error)) return false;
    throw error;
  }
}
