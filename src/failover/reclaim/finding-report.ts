import type { FoundLock, RecordedFinding, Verdict } from '../../record/record.js';

/** A finding as --json prints it. Times are ISO 8601 in UTC. */
export interface FindingReport {
  readonly verdict: Verdict;
  readonly path?: string;
  readonly lock?: FoundLock;
  readonly clients: readonly string[];
  readonly epoch: number;
  readonly at: string;
  readonly acknowledged: string | null;
}

export function findingReport(finding: RecordedFinding): FindingReport {
  const { verdict, lock, path, clients, epoch, at, acknowledgedAt } = finding;
  return {
    verdict,
    ...(path === undefined ? {} : { path }),
    ...(lock === undefined ? {} : { lock }),
    clients,
    epoch,
    at: new Date(at).toISOString(),
    acknowledged: acknowledgedAt === undefined ? null : new Date(acknowledgedAt).toISOString(),
  };
}
