import type { FoundLock, RecordedFinding, Verdict } from '../../record/record.js';

/** As many clients are named with each lock that any of them may have lost. */
export const namedClients = 10;

/** Who may have lost the locks of one audit, where they are more than a finding names. */
export interface SuspectList {
  /** That of the findings. ISO 8601 in UTC. */
  readonly at: string;
  readonly clients: readonly string[];
}

/** Once for each audit, however many locks it found. */
export function suspectLists(findings: readonly RecordedFinding[]): SuspectList[] {
  const lists = new Map<readonly string[], number>();
  for (const { clients, at } of findings) if (clients.length > namedClients) lists.set(clients, at);
  return [...lists].map(([clients, at]) => ({ at: new Date(at).toISOString(), clients }));
}

/** A finding as --json prints it. Times are ISO 8601 in UTC. */
export interface FindingReport {
  readonly verdict: Verdict;
  readonly path?: string;
  readonly lock?: FoundLock;
  /** Of many, the first: see suspectLists. */
  readonly clients: readonly string[];
  /** How many more. */
  readonly more?: number;
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
    clients: clients.slice(0, namedClients),
    ...(clients.length > namedClients ? { more: clients.length - namedClients } : {}),
    epoch,
    at: new Date(at).toISOString(),
    acknowledged: acknowledgedAt === undefined ? null : new Date(acknowledgedAt).toISOString(),
  };
}
