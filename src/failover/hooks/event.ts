import type { HookEvent } from '../../config/config.js';
import { FailoverError, messageOf } from '../../errors.js';
import type { OperationKind, RecordedFinding } from '../../record/record.js';
import type { OperationResult } from '../operations/operation.js';
import type { AuditReport } from '../reclaim/audit.js';
import { type FindingReport, findingReport } from '../reclaim/finding-report.js';
import { isLoss } from '../reclaim/reclaim.js';

/** What an operation came to, as far as it came. */
export interface Outcome {
  /** As far as it came to one. */
  readonly result?: OperationResult;
  /** What it threw. */
  readonly error?: unknown;
  /** Of a takeover that waited, or of `audit`. */
  readonly audit?: AuditReport;
}

/** Of which address, on which node, by which lock manager. */
export interface Occasion {
  readonly operation: OperationKind | 'audit';
  readonly address: string;
  readonly node: string;
  readonly driver: string;
  /** 0: the record was not reached. */
  readonly epoch: number;
  /** When it began and ended, ms since 1970. */
  readonly began: number;
  readonly ended: number;
}

/** What a hook gets, as one JSON object. Fields are added in later versions, and none is taken away or changes its meaning. */
export interface Event {
  readonly event: HookEvent;
  readonly time: string;
  readonly node: string;
  readonly address: string;
  readonly operation: OperationKind | 'audit';
  readonly driver: string;
  readonly epoch: number | null;
  readonly seconds: number;
  readonly result: 'done' | 'not-notified' | 'incomplete' | 'failed' | 'lost';
  readonly clients?: OperationResult['clients'];
  /** The first of them; `clients` has how many there are. */
  readonly notNotified?: OperationResult['notNotified'];
  readonly undone?: readonly string[];
  readonly remarks?: readonly string[];
  readonly error?: Pick<FailoverError, 'code' | 'operation' | 'message'> & { readonly hint: string | null };
  /** The first of them, and how many there are. */
  readonly lost?: readonly FindingReport[];
  readonly lostCount?: number;
}

/** As many of a list go into an event. */
const most = 100;

/** What happened, in the order in which the hooks are told: how it ended, then what was lost. */
export function eventsOf(occasion: Occasion, outcome: Outcome): Event[] {
  const ended = occasion.operation === 'audit' ? [] : [howItEnded(occasion, outcome)];
  const lost = lossesOf(occasion, outcome.audit);
  return lost.length === 0 ? ended : [...ended, ofLosses(occasion, lost)];
}

function howItEnded(occasion: Occasion, { result, error }: Outcome): Event {
  if (result === undefined)
    return { event: 'failed', ...common(occasion), result: 'failed', error: errorOf(error) };
  const { outcome, clients, notNotified, undone, remarks } = result;
  return {
    event: outcome === 'incomplete' ? 'failed' : 'done',
    ...common(occasion),
    result: outcome,
    clients,
    ...(notNotified.length === 0 ? {} : { notNotified: notNotified.slice(0, most) }),
    ...(undone.length === 0 ? {} : { undone }),
    ...(remarks.length === 0 ? {} : { remarks }),
  };
}

function ofLosses(occasion: Occasion, lost: readonly RecordedFinding[]): Event {
  return {
    event: 'lost',
    ...common(occasion),
    result: 'lost',
    lost: lost.slice(0, most).map(findingReport),
    lostCount: lost.length,
  };
}

/** What this very command has found, and not what one before it found. */
function lossesOf({ began }: Occasion, audit: AuditReport | undefined): readonly RecordedFinding[] {
  const { comparedAt = null, findings = [] } = audit ?? {};
  if (comparedAt === null || comparedAt < began) return [];
  return findings.filter((one) => one.at === comparedAt && isLoss(one));
}

function common({ operation, address, node, driver, epoch, began, ended }: Occasion) {
  return {
    time: new Date(ended).toISOString(),
    node,
    address,
    operation,
    driver,
    epoch: epoch === 0 ? null : epoch,
    seconds: Math.max(0, ended - began) / 1000,
  };
}

function errorOf(error: unknown): NonNullable<Event['error']> {
  if (error instanceof FailoverError) {
    const { code, operation, message, hint } = error;
    return { code, operation, message, hint: hint ?? null };
  }
  return { code: 'UNEXPECTED', operation: '', message: messageOf(error), hint: null };
}
