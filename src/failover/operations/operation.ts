import { messageOf } from '../../errors.js';
import { within } from '../../host/running/deadline.js';
import { lockOperation } from '../../rundir/operation-lock.js';
import { runDirectory } from '../../rundir/serving.js';
import type { MonitorRecord } from '../../record/record.js';
import { type CampaignResult, interrupted, tellRecorded } from '../steps/campaign.js';
import type { FailoverContext } from '../context.js';
import { expectRecord } from '../access/expect-record.js';
import { notifyLimit, stepLimit } from './limits.js';
import { isGraceMissed } from '../steps/rerun.js';
import { type Reporter, runPlan, type StepReport } from './runner.js';
import { type Plan, splitBefore } from '../steps/steps.js';

export interface OperationResult {
  readonly outcome: 'done' | 'untold';
  readonly clients: { readonly told: number; readonly untold: number };
  readonly untold: CampaignResult['untold'];
  /** Sentences worth a person's attention about how the clients were told. */
  readonly remarks: readonly string[];
}

/** Keeps in the record what an operation did, as far as the record can be reached at that moment. */
class OperationLog {
  readonly #context: FailoverContext;
  readonly #kind: 'release' | 'takeover' | 'notify';
  #id: number | undefined;
  /** Steps that ended before the record could be opened (B-1 of a record on the moving volume). */
  #waiting: { readonly report: StepReport; readonly at: number }[] = [];

  constructor(context: FailoverContext, kind: 'release' | 'takeover' | 'notify') {
    this.#context = context;
    this.#kind = kind;
  }

  begin(): void {
    const { session, host, config } = this.#context;
    if (this.#id !== undefined) return;
    const start = { kind: this.#kind, node: config.node, epoch: session.epoch, now: host.now() };
    this.#id = this.#write('beginning an operation', (record) => record.beginOperation(start));
  }

  step(report: StepReport): void {
    this.#waiting.push({ report, at: this.#context.host.now() });
    if (this.#context.session.record === undefined) return;
    this.begin();
    const id = this.#id;
    if (id === undefined) return;
    this.#write('writing a step', (record) => {
      for (const { report: ended, at } of this.#waiting) {
        const { step, fsid, state, ms, detail } = ended;
        record.recordStep(id, { step, ...(fsid === undefined ? {} : { fsid }), state, ms, detail, at });
      }
    });
    this.#waiting = [];
  }

  end(outcome: 'done' | 'failed' | 'untold', detail: string): void {
    const id = this.#id;
    if (id === undefined) return;
    const now = this.#context.host.now();
    this.#write('ending an operation', (record) => record.endOperation(id, { outcome, now, detail }));
  }

  /**
   * In one transaction with the question whose the address is: else the last operation that status shows could be that of a
   * node that has lost it.
   */
  #write<T>(what: string, write: (record: MonitorRecord) => T): T | undefined {
    const { session } = this.#context;
    const { record } = session;
    return record?.exclusively(what, () => (session.hasLostOwnership ? undefined : write(record)));
  }
}

/** Throws FailoverError; what was done stays in the record where it can be reached. */
export async function release(
  plan: Plan,
  context: FailoverContext,
  reporter: Reporter,
): Promise<OperationResult> {
  const { session } = context;
  const lock = lockOperation(runDirectory(context.host), context.floatingIp.address, 'release');
  const log = new OperationLog(context, 'release');
  try {
    await expectRecord(context);
    session.open({ create: false });
    session.expectOwner();
    log.begin();
    await runPlan(plan, context, {
      begin: (step) => {
        reporter.begin(step);
        // The record may lie on what A-4 unmounts: what it will say then is written before.
        if (step.name === 'A-4' && session.location.onVolume !== undefined) log.end('done', 'A-4 follows');
      },
      end: (step, report) => {
        reporter.end(step, report);
        session.open({ create: false });
        log.step(report);
      },
    });
    handOverWithoutUnmount(plan, context);
    log.end('done', '');
    return { outcome: 'done', clients: { told: 0, untold: 0 }, untold: [], remarks: [] };
  } catch (error) {
    takeBack(context);
    log.end('failed', messageOf(error));
    throw error;
  } finally {
    session.close();
    lock.release();
  }
}

/** Where somebody else unmounts (`--steps` without A-4), the address is handed over once its locks are dropped. */
function handOverWithoutUnmount(plan: Plan, { session, config }: FailoverContext): void {
  const names = plan.steps.map((step) => step.name);
  if (!names.includes('A-3') || names.includes('A-4')) return;
  const ownership = session.record?.ownership();
  if (ownership !== undefined && session.owns(ownership))
    session.record?.setReleased(config.node, ownership.epoch, true);
}

/** A-4 failed after the record was handed over: it is still this node's. */
function takeBack({ session, config }: FailoverContext): void {
  if (!session.isHandedOver) return;
  const record = session.open({ create: false });
  const ownership = record?.ownership();
  if (ownership !== undefined && session.owns(ownership))
    record?.setReleased(config.node, ownership.epoch, false);
}

/** B-1 to B-5. Throws FailoverError; `result` is what B-3 has left when it ended. */
export async function takeover(
  plan: Plan,
  context: FailoverContext,
  reporter: Reporter,
  result: () => CampaignResult | undefined,
): Promise<OperationResult> {
  const { session } = context;
  const lock = lockOperation(runDirectory(context.host), context.floatingIp.address, 'takeover');
  const log = new OperationLog(context, 'takeover');
  try {
    await expectRecord(context);
    if (session.open({ create: session.location.onVolume === undefined }) !== undefined) {
      session.claim(context.fenced);
      log.begin();
    } else if (!plan.steps.some((step) => step.name === 'B-1')) {
      // Single steps need the record too: says what to mount first.
      session.opened.ownership();
    }
    const remarks = await runWithinGrace(plan, context, {
      begin: (step) => reporter.begin(step),
      end: (step, report) => {
        reporter.end(step, report);
        log.step(report);
      },
    });
    const notified = result();
    const untold = notified?.untold ?? [];
    const outcome = untold.length > 0 ? 'untold' : 'done';
    log.end(outcome, untold.length > 0 ? `${untold.length} clients untold` : '');
    return {
      outcome,
      clients: { told: notified?.told ?? 0, untold: untold.length },
      untold,
      remarks: [...remarks, ...(notified?.remarks ?? [])],
    };
  } catch (error) {
    log.end('failed', messageOf(error));
    throw error;
  } finally {
    session.close();
    lock.release();
  }
}

/**
 * Runs the plan of a takeover, and what lies between B-2 and B-3 twice where the grace did not last until B-3. Only once more:
 * whatever ended that one too, who is told late is counted. Returns remarks.
 */
async function runWithinGrace(plan: Plan, context: FailoverContext, reporter: Reporter): Promise<string[]> {
  const [prepared, telling] = splitBefore(plan, 'B-3');
  const [, again] = splitBefore(prepared, 'B-2');
  const [next] = telling.steps;
  await runPlan(prepared, context, reporter);
  const isMissed =
    next !== undefined &&
    again.steps.length > 0 &&
    (await within(stepLimit(next, context), () => isGraceMissed(context)));
  if (isMissed) await runPlan(again, context, reporter);
  await runPlan(telling, context, reporter);
  return isMissed ? ['the grace period had ended before anybody could be told, so it was entered again'] : [];
}

/** `nlm-failover notify`: B-3 again, for those still untold, with the state they should have been told. */
export async function renotify(context: FailoverContext): Promise<OperationResult> {
  const { session, floatingIp } = context;
  const log = new OperationLog(context, 'notify');
  try {
    await expectRecord(context);
    session.open({ create: false });
    const record = session.opened;
    session.expectOwner();
    record.fold();
    log.begin();
    const { told, untold, remarks } = await within(notifyLimit(context), () =>
      tellRecorded(context, floatingIp, record),
    );
    if (context.signal.aborted && untold.length > 0)
      throw interrupted('notify', floatingIp, { told, untold });
    const outcome = untold.length > 0 ? 'untold' : 'done';
    log.end(outcome, `${told} told, ${untold.length} untold`);
    return { outcome, clients: { told, untold: untold.length }, untold, remarks };
  } catch (error) {
    log.end('failed', messageOf(error));
    throw error;
  } finally {
    session.close();
  }
}
