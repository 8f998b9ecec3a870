import { counted } from '../../counted.js';
import type { Operation, StepRecord } from '../../record/record.js';
import { stepTitles } from '../../step-names.js';
import { printable } from './printable.js';

/** An operation, and of which address it was. */
export interface PastOperation {
  readonly address: string;
  readonly operation: Operation;
}

/**
 * The operations of several addresses by when they began. Those of one address stay in the order in which its record has them, whatever
 * the clocks of its nodes said.
 */
export function inOneOrder(
  all: readonly { readonly address: string; readonly operations: readonly Operation[] }[],
): PastOperation[] {
  return all
    .flatMap(({ address, operations }) => {
      let latest = 0;
      return operations.map((operation) => {
        latest = Math.max(latest, operation.startedAt);
        return { address, operation, at: latest };
      });
    })
    .toSorted((a, b) => a.at - b.at)
    .map(({ address, operation }) => ({ address, operation }));
}

/** For people: a head, and a line for each step. */
export function historyText({ address, operation }: PastOperation): string {
  const { kind, node, epoch, startedAt, steps, detail = '', forced, fencing, outcome } = operation;
  const what = `${printable(kind)} ${address} on ${printable(node)}, epoch ${epoch}`;
  const lines = [`${timeOf(startedAt)}  ${what}: ${endText(operation)}`];
  if (forced !== undefined) lines.push(`  FORCED: ${printable(forced)}`);
  if (fencing !== undefined) lines.push(`  ${printable(fencing)}`);
  for (const step of steps) lines.push(stepText(step));
  // Of clients not notified it says how many they are, as the head does.
  if (detail !== '' && outcome !== 'not-notified') lines.push(`  ${printable(detail)}`);
  return `${lines.join('\n')}\n`;
}

/** "done in 15.5 s, 2 of 3 clients notified, 1 lock LOST". */
function endText({ outcome, startedAt, endedAt, notified, notNotified, lost }: Operation): string {
  const all = (notified ?? 0) + (notNotified ?? 0);
  return [
    outcome === undefined || endedAt === undefined
      ? 'running or interrupted'
      : `${endTitles[outcome] ?? printable(outcome)} in ${seconds(endedAt - startedAt)} s`,
    ...(all === 0 ? [] : [`${notified} of ${counted(all, 'client')} notified`]),
    ...(lost === undefined ? [] : [lost === 0 ? 'no lock lost' : `${lost} LOST`]),
  ].join(', ');
}

/** The count of those not notified says the rest. */
const endTitles: Readonly<Record<string, string>> = { 'not-notified': 'done' };

/** A later version may have written other steps. */
const titles: Readonly<Record<string, string>> = stepTitles;

function stepText({ step, state, ms, detail }: StepRecord): string {
  const title = titles[step] ?? '';
  const what = state === 'done' ? `${Math.round(ms)} ms` : state;
  return `  ${printable(step)}  ${title.padEnd(18)}  ${printable(what).padStart(9)}  ${printable(detail)}`;
}

/** For --json; times are ISO 8601 in UTC, and null is what is not known. */
export function historyJson({ address, operation }: PastOperation) {
  const {
    kind,
    node,
    epoch,
    startedAt,
    endedAt,
    outcome,
    detail,
    forced,
    fencing,
    notified,
    notNotified,
    lost,
  } = operation;
  return {
    address,
    kind,
    node,
    epoch,
    startedAt: timeOf(startedAt),
    endedAt: endedAt === undefined ? null : timeOf(endedAt),
    outcome: outcome ?? null,
    detail: detail ?? '',
    forced: forced ?? null,
    fencing: fencing ?? null,
    clients: notified === undefined || notNotified === undefined ? null : { notified, notNotified },
    lost: lost ?? null,
    steps: operation.steps.map(({ step, fsid, state, ms, detail: said, at }) => ({
      step,
      ...(fsid === undefined ? {} : { fsid }),
      state,
      ms: Math.round(ms),
      detail: said,
      endedAt: timeOf(at),
    })),
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
