import type { AuditReport } from '../../failover/reclaim/audit.js';
import type { OperationResult } from '../../failover/operations/operation.js';
import type { ReclaimProgress } from '../../failover/reclaim/reclaim-watch.js';
import type { Reporter } from '../../failover/operations/runner.js';
import type { Plan, Step } from '../../failover/steps/steps.js';
import { stepTitles } from '../../step-names.js';
import type { Progress as NotifyProgress } from '../../nsm/notify/report.js';
import { exitCodes, messageOf } from '../../errors.js';
import {
  auditExitCode,
  auditJson,
  findingText,
  graceEndText,
  ofThisGrace,
  progressText,
} from './audit-text.js';
import type { Io } from '../io.js';
import { printable } from './printable.js';

export interface StepReporter extends Reporter {
  progress(progress: NotifyProgress): void;
  /** Prints how it ended and returns the exit code. */
  result(result: OperationResult): number;
  /**
   * takeover, when all is done: tells that, then how the reclaims go, then what the audit found; returns the exit code. An audit
   * that fails is reported, and changes nothing of what was done.
   */
  resultAfter(
    result: OperationResult,
    audit: (onProgress: (progress: ReclaimProgress) => void) => Promise<AuditReport>,
  ): Promise<number>;
}

/** --json: one object a line, the last one the result. */
export function jsonReporter(io: Io): StepReporter {
  const line = (value: unknown) => io.out(`${JSON.stringify(value)}\n`);
  return {
    begin: () => undefined,
    end: (_, { step, fsid, state, ms, detail }) =>
      line({ step, ...(fsid === undefined ? {} : { fsid }), state, ms, detail }),
    progress: () => undefined,
    result: (result) => {
      line(resultJson(result));
      return exitCodeOf(result.outcome);
    },
    resultAfter: async (result, audit) => {
      const waiting = occasionally((progress) => line({ waiting: progress }));
      try {
        const report = await audit(waiting);
        const code = auditExitCode(ofThisGrace(report));
        const lost = code === exitCodes.locksLost;
        line({ ...resultJson(result), ...(lost ? { result: 'lost' } : {}), audit: auditJson(report) });
        return lost ? code : exitCodeOf(result.outcome);
      } catch (error) {
        line({ ...resultJson(result), audit: { state: 'failed', message: messageOf(error) } });
        return exitCodeOf(result.outcome);
      }
    },
  };
}

/** As many of those not notified are named; how many there are is said of all. */
const namedMost = 1000;

function resultJson({
  outcome,
  clients,
  notNotified,
  undone,
  remarks,
  fencing,
}: OperationResult): Record<string, unknown> {
  const more = {
    ...(fencing === undefined ? {} : { fencing }),
    ...(undone.length > 0 ? { undone } : {}),
    ...(notNotified.length > 0 ? { notNotified: notNotified.slice(0, namedMost) } : {}),
    ...(remarks.length > 0 ? { remarks } : {}),
  };
  return { result: outcome, clients, ...more };
}

/** For people: each step with its time; at a terminal also while it runs. */
export function textReporter(
  io: Io,
  plan: { readonly kind: Plan['kind'] | 'notify'; readonly address: string },
  begin: string,
): StepReporter {
  const clear = () => {
    if (io.isTerminal) io.clearLine();
  };
  const head = (step: Step) => `  ${step.name}  ${(step.title ?? stepTitles[step.name]).padEnd(18)}`;
  let current: Step | undefined;
  const startedAt = performance.now();
  io.out(`${begin}\n`);
  const result = ({ outcome, clients, notNotified, undone, remarks, fencing }: OperationResult): number => {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    const all = clients.notified + clients.notNotified;
    const notified = all > 0 ? `, ${clients.notified} of ${all} clients notified` : '';
    const but = undone.length > 0 ? ', but not everything' : '';
    io.out(`${plan.kind} ${plan.address}: done in ${seconds} s${notified}${but}\n`);
    if (fencing !== undefined) io.out(`  ${printable(fencing)}\n`);
    for (const one of undone) io.out(`  NOT DONE: ${printable(one)}\n`);
    if (undone.length > 0) io.out(`  Remove the cause. Then run the same command again: it does the rest.\n`);
    for (const remark of remarks) io.out(`  NOTE: ${remark}\n`);
    for (const { address, client, reason } of notNotified.slice(0, namedMost))
      io.out(`  NOT NOTIFIED: ${printable(client)}, a client of ${address} (${reason})\n`);
    if (notNotified.length > namedMost) io.out(`  NOT NOTIFIED: ${notNotified.length - namedMost} more\n`);
    if (notNotified.length > 0)
      io.out(`  They stay in the record. To try again: nlm-failover notify ${plan.address}\n`);
    return exitCodeOf(outcome);
  };
  return {
    begin: (step) => {
      current = step;
      if (io.isTerminal) io.out(`${head(step)}  ...  ${step.subject}`);
    },
    end: (step, { state, ms, detail }) => {
      const what = state === 'done' ? `${ms} ms` : state;
      clear();
      io.out(`${head(step)}  ${what.padStart(9)}  ${printable(detail)}\n`);
    },
    progress: ({ notified, total }) => {
      if (!io.isTerminal || current === undefined) return;
      clear();
      io.out(`${head(current)}  ...  ${notified} of ${total} clients notified`);
    },
    result,
    resultAfter: async (done, audit) => {
      const code = result(done);
      const live = (progress: ReclaimProgress) => {
        clear();
        io.out(`  waiting: ${progressText(progress)}`);
      };
      const seldom = occasionally((progress) => io.out(`  waiting: ${progressText(progress)}\n`));
      try {
        const report = await audit(io.isTerminal ? live : seldom);
        clear();
        io.out(auditLines(plan.address, report));
        const found = auditExitCode(ofThisGrace(report));
        return found === exitCodes.done ? code : found;
      } catch (error) {
        clear();
        io.out(`  The takeover is done, but the audit failed: ${messageOf(error)}\n`);
        return code;
      }
    },
  };
}

/** What a takeover says of its audit: nothing where there was nobody to wait for. */
function auditLines(address: string, report: AuditReport): string {
  const { state, clients, locks } = report;
  if (state === 'gone' || state === 'none') return '';
  if (state !== 'compared')
    return `  reclaims not waited for: ${progressText(report)}. Later: nlm-failover audit ${address}\n`;
  const found = ofThisGrace(report);
  const grace = graceEndText(report);
  const end = grace === '' ? '' : `  ${grace}\n`;
  if (clients.listed === 0 && (locks?.held ?? 0) === 0 && found.length === 0) return end;
  const more = found.length > 0 ? `  To see this again: nlm-failover audit ${address} [--acknowledge]\n` : '';
  return `  ${progressText({ ...report, graceLeft: 0 })}\n${found.map((one) => `  ${findingText(one)}\n`).join('')}${end}${more}`;
}

/** Where nobody watches a line change: when a number has changed, and every 15 s. */
function occasionally(report: (progress: ReclaimProgress) => void): (progress: ReclaimProgress) => void {
  let last = '';
  let at = Number.NEGATIVE_INFINITY;
  return (progress) => {
    const now = JSON.stringify([progress.clients, progress.locks]);
    if (now === last && performance.now() - at < 15_000) return;
    last = now;
    at = performance.now();
    report(progress);
  };
}

function exitCodeOf(outcome: OperationResult['outcome']): number {
  switch (outcome) {
    case 'incomplete':
      return exitCodes.stepFailed;
    case 'not-notified':
      return exitCodes.clientsNotNotified;
    case 'done':
      return exitCodes.done;
  }
}
