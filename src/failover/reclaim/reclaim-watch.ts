import { messageOf } from '../../errors.js';
import type { HeldLock, MonitorRecord } from '../../record/record.js';
import type { FailoverContext } from '../context.js';
import { heldLocks } from './held-locks.js';
import { reclaimedOf } from './reclaim.js';
import { withFoldedRecord } from '../access/with-record.js';

/** How it stands with the reclaims of a grace. */
export interface ReclaimProgress {
  /** On the list of the grace; of those, notified; and of those, asking lockd for locks since. */
  readonly clients: { readonly listed: number; readonly notified: number; readonly back: number };
  /** Held at the release, and of those seen reclaimed; null after a crash, when nobody knows what was held. */
  readonly locks: { readonly held: number; readonly reclaimed: number } | null;
  /** Seconds, by the length of a grace; 0 when it is over. */
  readonly graceLeft: number;
}

/**
 * - in-grace: reclaims are accepted
 * - over: they are not any more, and nobody has compared yet
 * - compared: see findings.ts
 * - none: this record has seen no grace
 * - gone: the address is not this node's
 */
export type ReclaimState = 'in-grace' | 'over' | 'compared' | 'none' | 'gone';

export interface Look extends ReclaimProgress {
  readonly state: ReclaimState;
  /** Whatever can come has come. */
  readonly complete: boolean;
}

/** Between two looks: well below a grace, well above what a look costs. */
const intervalMs = 500;
/** Beyond a whole grace: what a kernel may be late. */
const patienceMs = 5_000;

/** One look. What is held while nothing but reclaims is accepted is marked in the record as reclaimed. */
export async function lookAtReclaims(context: FailoverContext): Promise<Look> {
  const { host, floatingIp, driver, config } = context;
  const now = await heldLocks(context, floatingIp);
  // Asked after the locks were read: if it runs still, all that was read is reclaimed.
  const runs = await driver.inGrace();
  const seen = withFoldedRecord(context, floatingIp, (record): Look => {
    const { planned: isNoted, beganAt, comparedAt } = record.audit();
    const ownership = record.ownership();
    const { epoch } = ownership;
    const isOurs = context.session.owns(ownership);
    if (!isOurs || beganAt === undefined) return { ...nothing, state: isOurs ? 'none' : 'gone' };
    const left = Math.max(0, Math.ceil((beganAt - host.now()) / 1000 + driver.graceSeconds()));
    const inGrace = runs ?? left > 0;
    const planned = isNoted && now !== undefined;
    if (planned && inGrace && comparedAt === undefined) markReclaimed(record, epoch, now, host.now());
    return {
      ...progressOf(record, planned, config.node),
      graceLeft: inGrace ? left : 0,
      state: comparedAt !== undefined ? 'compared' : inGrace ? 'in-grace' : 'over',
    };
  });
  return seen ?? { ...nothing, state: 'gone' };
}

/** Looks, and notes whether the grace was watched to its end: without a gap in which somebody else could have got a lock. */
async function watch(context: FailoverContext): Promise<Look> {
  const { collected } = context;
  const seen = await lookAtReclaims(context);
  const now = performance.now();
  if (seen.state === 'in-grace') collected.lastSeenInGrace = now;
  else collected.watchedToTheEnd ??= now - collected.lastSeenInGrace <= 4 * intervalMs;
  return seen;
}

/** Looks again and again while `work` goes on: B-3 may take as long as the grace. What a look throws, the audit will meet too. */
export async function watchDuring<T>(context: FailoverContext, work: () => Promise<T>): Promise<T> {
  const done = new AbortController();
  const watching = watchUntil(context, done.signal);
  try {
    return await work();
  } finally {
    done.abort();
    await watching;
  }
}

async function watchUntil(context: FailoverContext, signal: AbortSignal): Promise<void> {
  for (;;) {
    await context.host.delay(intervalMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      await watch(context);
    } catch (error) {
      context.log('warn', { error: messageOf(error) }, 'the reclaims could not be looked at');
    }
  }
}

/**
 * Waits until everybody notified is back, or, after a release, until every lock that was held is held again; at the longest
 * until the grace is over. The record is not kept open meanwhile: nothing of this keeps a release from unmounting.
 * Returns whether it has watched the grace to its end; undefined where it was interrupted.
 */
export async function watchReclaims(
  context: FailoverContext,
  onProgress: (progress: ReclaimProgress) => void,
): Promise<boolean | undefined> {
  const { host, signal } = context;
  const deadline = performance.now() + context.driver.graceSeconds() * 1000 + patienceMs;
  for (;;) {
    const { state, complete, ...progress } = await watch(context);
    if (state !== 'in-grace') return context.collected.watchedToTheEnd === true;
    if (complete || performance.now() >= deadline) return true;
    onProgress(progress);
    try {
      await host.delay(intervalMs, signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }
}

const nothing = {
  clients: { listed: 0, notified: 0, back: 0 },
  locks: null,
  graceLeft: 0,
  complete: true,
} as const;

function markReclaimed(record: MonitorRecord, epoch: number, now: readonly HeldLock[], at: number): void {
  const back = reclaimedOf(record.heldLocks(), now).filter(({ reclaimed }) => !reclaimed);
  if (back.length === 0) return;
  record.whileEpochLasts('writing what was reclaimed', epoch, () => record.markReclaimed(back, at));
}

function progressOf(
  record: MonitorRecord,
  planned: boolean,
  node: string,
): Pick<Look, 'clients' | 'locks' | 'complete'> {
  const clients = record.auditedClients(node);
  const notified = clients.filter((client) => client.notified);
  const back = notified.filter((client) => client.back);
  const held = record.heldLocks();
  const reclaimed = held.filter((lock) => lock.reclaimed).length;
  return {
    clients: { listed: clients.length, notified: notified.length, back: back.length },
    locks: planned ? { held: held.length, reclaimed } : null,
    complete: planned ? reclaimed === held.length : back.length === notified.length,
  };
}
