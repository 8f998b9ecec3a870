import { exitCodes } from '../../errors.js';
import type { AuditReport } from '../../failover/reclaim/audit.js';
import { findingReport, namedClients, suspectLists } from '../../failover/reclaim/finding-report.js';
import { isLoss } from '../../failover/reclaim/reclaim.js';
import type { ReclaimProgress } from '../../failover/reclaim/reclaim-watch.js';
import type { Finding, RecordedFinding, Verdict } from '../../record/record.js';
import { printable } from './printable.js';

/** In the order of their weight, as status counts them. */
export const verdictTitles: Readonly<Record<Verdict, string>> = {
  lost: 'LOST',
  silent: 'SILENT',
  'not-notified': 'NOT NOTIFIED',
  'not-reclaimed': 'not reclaimed',
  unseen: 'UNSEEN',
  idle: 'idle',
};

/** "1 of 2 clients back, 3 of 4 locks reclaimed, 5 s of grace left". */
export function progressText({ clients, locks, graceLeft }: ReclaimProgress): string {
  return [
    `${clients.back} of ${clients.notified} clients back`,
    ...(locks === null ? [] : [`${locks.reclaimed} of ${locks.held} locks reclaimed`]),
    ...(graceLeft > 0 ? [`${graceLeft} s of grace left`] : []),
  ].join(', ');
}

/** One finding as a sentence. */
export function findingText({ verdict, lock, path, clients }: Finding): string {
  const who = clientsText(clients, ', ', ' and ');
  const what =
    lock === undefined
      ? who
      : `${lock.mode.toLowerCase()} lock on ${printable(path ?? `inode ${lock.inode}`)}${range(lock)}`;
  return `${verdictTitles[verdict]}: ${what}${meanings[verdict](who, clients.length)}`;
}

/** The first of them, and how many more; `and` before that number. */
export function clientsText(clients: readonly string[], between: string, and: string): string {
  const more = clients.length - namedClients;
  const named = clients.slice(0, namedClients).map(printable).join(between);
  return more > 0 ? `${named}${and}${more} more` : named;
}

/** What each verdict means, after what was found. */
const meanings: Readonly<Record<Verdict, (who: string, count: number) => string>> = {
  lost: (who, count) =>
    count === 0
      ? ' was not reclaimed; no client is recorded that can have held it'
      : ` was not reclaimed; most likely held by ${count === 1 ? who : `one of ${who}`}: every other client is back or answers`,
  silent: () =>
    ' was notified, has asked for no lock since, and does not answer: if it held locks, they are lost',
  'not-notified': () => ' could not be notified: if it held locks, they are lost, and it does not know',
  'not-reclaimed': () =>
    ' was not reclaimed, though every client is back or answers: its client gave it back, or was refused (then that client\'s kernel log says "failed to reclaim")',
  unseen: () =>
    ' was notified and answers; whether it has asked for a lock since could not be seen, as the callout does not record: nothing is known of its locks',
  idle: () => ' was notified and answers, but has asked for no lock since: it held none',
};

function range({ start, end }: { readonly start: string; readonly end: string }): string {
  return start === '0' && end === 'EOF' ? '' : ` (bytes ${start} to ${end})`;
}

/** Whether takeover has ended the grace, as a sentence; empty where that was no question. */
export function graceEndText({ grace, graceLeft }: Pick<AuditReport, 'grace' | 'graceLeft'>): string {
  if (grace === undefined) return '';
  if (!grace.ended) return `grace goes on for ${graceLeft} s: ${grace.why}`;
  return `grace ended: ${grace.why}${graceLeft > 0 ? `; new locks in ${graceLeft} s` : ''}`;
}

/** For --json. */
export function auditJson({ state, clients, locks, graceLeft, grace, comparedAt, findings }: AuditReport) {
  const suspects = suspectLists(findings);
  return {
    state,
    clients,
    locks,
    graceLeft,
    ...(grace === undefined ? {} : { grace }),
    comparedAt: comparedAt === null ? null : new Date(comparedAt).toISOString(),
    findings: findings.map(findingReport),
    ...(suspects.length === 0 ? {} : { suspects }),
  };
}

/** What the last grace has found. */
export function ofThisGrace({ findings, comparedAt }: AuditReport): RecordedFinding[] {
  return findings.filter(({ at }) => at === comparedAt);
}

/** 6 where locks are lost and nobody has acknowledged it. */
export function auditExitCode(findings: readonly RecordedFinding[]): number {
  return findings.some((one) => isLoss(one) && one.acknowledgedAt === undefined)
    ? exitCodes.locksLost
    : exitCodes.done;
}
