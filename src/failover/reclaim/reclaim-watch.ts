import { counted } from '../../counted.js';
import { FailoverError, messageOf } from '../../errors.js';
import type { AuditedLock, MonitorRecord } from '../../record/record.js';
import type { FailoverContext } from '../context.js';
import { type GraceEvidence, whyGraceGoesOn } from './end-of-grace.js';
import { heldLocks } from './held-locks.js';
import { reclaimedOf } from './reclaim.js';
import { withFoldedView } from '../access/with-record.js';

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
  /** Why the grace must go on; undefined: it may end. */
  readonly goesOn: string | undefined;
  /** How many locks are held; undefined: not known. */
  readonly held: number | undefined;
}

/** How it came to the end of a grace, or did not. */
export interface GraceEnd {
  /** Whether takeover ended the grace before its time. */
  readonly ended: boolean;
  /** Why, or why not, as a clause. */
  readonly why: string;
}

/** Between two looks: well below a grace. */
const intervalMs = 500;
/**
 * The same where no lock can be seen and nobody can end the grace, as with NFS-Ganesha on a cluster file system: nothing that comes and goes is
 * missed, and each look opens the record there.
 */
const unseenIntervalMs = 3000;
/** And well above what a look costs, by so many times: B-3 sends in this process too, and whoever reclaims needs the CPU. */
const costFactor = 9;
/** The second of the two looks after which a grace may end. */
const secondLookMs = 100;
/** Beyond a whole grace: what a kernel may be late. */
const patienceMs = 5_000;

/** One look. What is held while nothing but reclaims is accepted is marked in the record as reclaimed. */
export async function lookAtReclaims(context: FailoverContext): Promise<Look> {
  const { host, floatingIp, driver, config } = context;
  const now = await heldLocks(context, floatingIp);
  // Asked after the locks were read: if it runs still, all that was read is reclaimed.
  const runs = await driver.inGrace();
  const driversLeft = runs === false ? 0 : await driver.graceLeft();
  const seen = withLookedAtRecord(context, (record): Look => {
    const { planned: isNoted, beganAt, comparedAt } = record.audit();
    const ownership = record.ownership();
    const { epoch } = ownership;
    const isOurs = context.session.owns(ownership);
    if (!isOurs || beganAt === undefined) return { ...nothing, state: isOurs ? 'none' : 'gone' };
    const left = driversLeft ?? Math.max(0, Math.ceil((beganAt - host.now()) / 1000 + driver.graceSeconds()));
    const inGrace = runs ?? left > 0;
    const planned = isNoted && now !== undefined;
    const noted = record.heldLocks();
    const back = now === undefined ? undefined : reclaimedOf(noted, now);
    if (planned && inGrace && comparedAt === undefined) markReclaimed(record, epoch, back ?? [], host.now());
    return {
      ...progressOf(record, planned, config.node),
      graceLeft: inGrace ? left : 0,
      goesOn: whyGraceGoesOn({
        ...evidenceOf(context, record),
        held: noted.length,
        missing: back === undefined ? undefined : noted.length - back.length,
      }),
      held: now?.length,
      state: comparedAt !== undefined ? 'compared' : inGrace ? 'in-grace' : 'over',
    };
  });
  return seen ?? { ...nothing, state: 'gone' };
}

/**
 * B-3 has the record open: that is used, and nothing of the reserve is taken for a look. Else it is opened for the moment, folded; this
 * command has checked it as a whole before.
 */
function withLookedAtRecord(
  context: FailoverContext,
  look: (record: MonitorRecord) => Look,
): Look | undefined {
  const { record } = context.session;
  if (record === undefined) return withFoldedView(context, context.floatingIp, look, true);
  return record.withoutReserve(() => {
    record.fold();
    return look(record);
  });
}

/** Looks, and notes whether the grace was watched to its end: without a gap in which somebody else could have got a lock. */
async function watch(context: FailoverContext): Promise<Look> {
  const { collected } = context;
  const begun = performance.now();
  const seen = await lookAtReclaims(context);
  const now = performance.now();
  const { lastSeenInGrace, nextLookMs } = collected;
  const isUnseen = seen.held === undefined && context.driver.endGrace === undefined;
  collected.nextLookMs = Math.max(isUnseen ? unseenIntervalMs : intervalMs, costFactor * (now - begun));
  if (seen.state === 'in-grace') collected.lastSeenInGrace = now;
  else collected.watchedToTheEnd ??= now - lastSeenInGrace <= Math.max(4 * intervalMs, 2 * nextLookMs);
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
    await context.host.delay(context.collected.nextLookMs, signal).catch(() => undefined);
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
 * until the grace is over. Where nothing speaks against it, twice in a row with nothing new in between, it ends the grace then.
 * The record is not kept open meanwhile: nothing of this keeps a release from unmounting.
 * `looked`: whether it has watched the grace to its end; undefined where it was interrupted. `grace`: undefined where none runs.
 */
export async function watchReclaims(
  context: FailoverContext,
  onProgress: (progress: ReclaimProgress) => void,
): Promise<{ readonly looked: boolean | undefined; readonly grace?: GraceEnd }> {
  const { host, signal } = context;
  const deadline = performance.now() + context.driver.graceSeconds() * 1000 + patienceMs;
  for (let before: Look | undefined; ;) {
    const look = await watch(context);
    const { state, complete, goesOn, clients, locks, graceLeft } = look;
    if (state !== 'in-grace') return { looked: context.collected.watchedToTheEnd === true };
    if (performance.now() >= deadline) return { looked: true };
    if (complete && goesOn !== undefined)
      return { looked: true, ...(isAsked(context) ? { grace: { ended: false, why: goesOn } } : {}) };
    if (complete && before !== undefined && isTheSame(look, before))
      return { looked: true, grace: await endGrace(context, look) };
    before = look;
    onProgress({ clients, locks, graceLeft });
    try {
      await host.delay(complete ? secondLookMs : context.collected.nextLookMs, signal);
    } catch (error) {
      if (signal.aborted) return { looked: undefined };
      throw error;
    }
  }
}

/** Whether anybody wants to know why the grace goes on: not where it always does. */
function isAsked({ driver, config }: FailoverContext): boolean {
  return driver.endGrace !== undefined || config.lockManager.endGrace === 'reclaimed';
}

/** Whether nothing has come or gone between two looks: one reading of /proc/locks alone may miss a lock, or show one twice. */
function isTheSame(one: Look, other: Look): boolean {
  const seen = ({ goesOn, held, clients, locks }: Look) =>
    JSON.stringify([goesOn ?? '', held, clients, locks]);
  return seen(one) === seen(other);
}

/** Ends the grace. That it does not let itself be ended is no failure of the takeover: it ends by its timer then. */
async function endGrace(context: FailoverContext, { clients, locks }: Look): Promise<GraceEnd> {
  const action = context.driver.endGrace?.();
  if (action === undefined) return { ended: false, why: 'the driver cannot end it' };
  const done = `${locks?.reclaimed ?? 0} of ${counted(locks?.held ?? 0, 'lock')} held again, ${clients.notified} of ${counted(clients.listed, 'client')} notified`;
  try {
    if (!(await action.check(context))) await action.act(context);
    await action.verify(context);
    context.log('info', { commands: action.commands }, 'grace ended');
    return { ended: true, why: done };
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    return { ended: false, why: `it could not be ended: ${error.message}` };
  }
}

const nothing = {
  clients: { listed: 0, notified: 0, back: 0 },
  locks: null,
  graceLeft: 0,
  complete: true,
  goesOn: 'there is none',
  held: undefined,
} as const;

function evidenceOf(
  { driver, config, session }: FailoverContext,
  record: MonitorRecord,
): Omit<GraceEvidence, 'held' | 'missing'> {
  const { epoch } = record.ownership();
  const { planned, noteGap, graces } = record.audit();
  return {
    wish: config.lockManager.endGrace ?? 'reclaimed',
    driver: driver.name,
    canEnd: driver.endGrace !== undefined,
    isThisEpoch: epoch === session.epoch,
    entered: record.stepDone({ epoch, step: 'B-2' }),
    graces,
    planned,
    noteGap,
    notNotified: record.notifyCounts().notNotified,
  };
}

/** `back`: of what was noted, what is held. */
function markReclaimed(record: MonitorRecord, epoch: number, back: readonly AuditedLock[], at: number): void {
  const newly = back.filter(({ reclaimed }) => !reclaimed);
  if (newly.length === 0) return;
  record.whileEpochLasts('writing what was reclaimed', epoch, () => record.markReclaimed(newly, at));
}

function progressOf(
  record: MonitorRecord,
  planned: boolean,
  node: string,
): Pick<Look, 'clients' | 'locks' | 'complete'> {
  const clients = record.auditCounts(node);
  const held = record.heldLocks();
  const reclaimed = held.filter((lock) => lock.reclaimed).length;
  return {
    clients,
    locks: planned ? { held: held.length, reclaimed } : null,
    complete: planned ? reclaimed === held.length : clients.back === clients.notified,
  };
}
