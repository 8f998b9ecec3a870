import path from 'node:path';
import { within } from '../../host/running/deadline.js';
import {
  type AuditedClient,
  type Finding,
  isUnwritable,
  type MonitorRecord,
  type RecordedFinding,
} from '../../record/record.js';
import type { FailoverContext } from '../context.js';
import { heldLocks } from './held-locks.js';
import { auditLimit } from '../limits.js';
import { pathsOfInodes } from './lock-path.js';
import { isLoss, judge, reclaimedOf } from './reclaim.js';
import {
  type GraceEnd,
  lookAtReclaims,
  type ReclaimProgress,
  type ReclaimState,
  watchReclaims,
} from './reclaim-watch.js';
import { readMarks } from '../../rundir/marks.js';
import { isRecording } from '../../rundir/serving.js';
import { unrecorded } from '../access/unrecorded.js';
import { expectRecord, withFoldedRecord, withRecord } from '../access/with-record.js';
import { answeringClients } from './answering-clients.js';

export interface AuditReport extends ReclaimProgress {
  /** `over` where it was interrupted before it could compare. */
  readonly state: ReclaimState;
  /** When it was compared, ms since 1970; null: not yet. The findings of that moment are the last grace's. */
  readonly comparedAt: number | null;
  /** Of the last grace, and what nobody has acknowledged of earlier ones. */
  readonly findings: readonly RecordedFinding[];
  /** Whether takeover ended the grace before its time; undefined where it did not come to that question. */
  readonly grace?: GraceEnd;
}

/** takeover, when all is done: waits for the reclaims, then compares. */
export async function auditAfterTakeover(
  context: FailoverContext,
  onProgress: (progress: ReclaimProgress) => void,
): Promise<AuditReport> {
  return within(auditLimit(context), async () => {
    const { looked, grace } = await watchReclaims(context, onProgress);
    if (looked !== undefined) await compare(context, looked);
    const report = await auditReport(context);
    return grace === undefined ? report : { ...report, grace };
  });
}

/** `nlm-failover audit`: what was found; compares where the grace is over and nobody has. */
export async function audit(context: FailoverContext): Promise<AuditReport> {
  const { session } = context;
  await expectRecord(context);
  try {
    session.open({ create: false });
    session.opened.ownership();
    session.expectOwner();
  } finally {
    session.close();
  }
  return within(auditLimit(context), async () => {
    try {
      if ((await lookAtReclaims(context)).state === 'over') await compare(context, false);
    } catch (error) {
      // Shown as far as it can be read, as status and clients do.
      if (!isUnwritable(error)) throw error;
    }
    return auditReport(context);
  });
}

/**
 * Compares what was held, or who was notified, with what came back, and writes what is missing into the record, once for each
 * grace: later the same question has another answer, as clients lock and unlock as they please.
 * @param looked whether the grace was watched to its end; else a lock that is held now is taken for a reclaimed one
 */
async function compare(context: FailoverContext, looked: boolean): Promise<void> {
  const { host, floatingIp, config } = context;
  const basis = withFoldedRecord(context, floatingIp, (record) => {
    const ownership = record.ownership();
    const { epoch } = ownership;
    const { planned, comparedAt, beganAt } = record.audit();
    if (!context.session.owns(ownership) || comparedAt !== undefined || beganAt === undefined)
      return undefined;
    return {
      epoch,
      planned,
      // Where somebody else does B-2 it was seen to run, or was not.
      graceEntered: looked || record.stepDone({ epoch, step: 'B-2' }),
      listed: announced(context, record.auditedClients(config.node)),
      state: record.nsmState() ?? 0,
      isWhole: planned && record.heldLocks().every(({ reclaimed }) => reclaimed),
    };
  });
  if (basis === undefined) return;
  const { epoch, planned, graceEntered, listed, state, isWhole } = basis;
  const quiet = listed.filter(({ notified, back }) => notified && !back).map(({ client }) => client);
  const answering = isWhole ? new Set<string>() : await answeringClients(context, quiet, state);
  // Interrupted, they were not given the time to answer: nothing is said of them.
  if (context.signal.aborted) return;
  const clients = listed.map((one) => ({ ...one, answers: answering.has(one.client) }));
  const seesClients = await isCalloutSeen(context);
  const now = await heldLocks(context, floatingIp);
  const findings = whileEpochLasts(context, epoch, (record) => {
    // Where this lock manager cannot say what it holds, only the clients tell.
    if (now === undefined) return judge({ planned: false, graceEntered, seesClients, clients, missing: [] });
    const held = record.heldLocks();
    const missing = held.filter(({ reclaimed }) => !reclaimed);
    const strict = judge({ planned, graceEntered, seesClients, clients, missing });
    // While somebody is gone, a lock that has turned up since the last look in grace may be anybody's. With everybody
    // there it was reclaimed in the last moment.
    if (looked && strict.some(({ verdict }) => verdict === 'lost')) return strict;
    const late = new Set(reclaimedOf(held, now));
    record.markReclaimed([...late], host.now());
    return judge({
      planned,
      graceEntered,
      seesClients,
      clients,
      missing: missing.filter((lock) => !late.has(lock)),
    });
  });
  if (findings === undefined) return;
  const named = await withPaths(context, findings);
  const lost = named.filter(isLoss).length;
  whileEpochLasts(context, epoch, (record) =>
    record.closeAudit({ epoch, now: host.now(), findings: named, lost }),
  );
}

/** Whether the callout has recorded who asked for a lock, as far as can be told: nothing is claimed of a time in which nobody could see. */
async function isCalloutSeen(context: FailoverContext): Promise<boolean> {
  const { run, driver, floatingIp } = context;
  const { address } = floatingIp;
  if (!isRecording(run, address) || readMarks(run, [address]).length > 0) return false;
  const fault = await driver.calloutFault(address);
  if (fault !== undefined) return false;
  const missed = await unrecorded(
    async () => (await driver.monitored())?.hosts ?? [],
    () => withFoldedRecord(context, floatingIp, (record) => record.clientNames()),
  );
  return missed.length === 0;
}

function whileEpochLasts<T>(
  context: FailoverContext,
  epoch: number,
  write: (record: MonitorRecord) => T,
): T | undefined {
  return withRecord(context, context.floatingIp, (record) =>
    record.whileEpochLasts('writing the audit', epoch, () => write(record)),
  );
}

/**
 * A lock manager that was not started anew announces nobody whom it knew before (the driver says so): there whoever was notified
 * counts as back. To ask them would make some reclaim again.
 */
function announced({ driver }: FailoverContext, clients: readonly AuditedClient[]): readonly AuditedClient[] {
  return driver.announcesAgain ? clients : clients.map((one) => ({ ...one, back: one.notified }));
}

async function auditReport(context: FailoverContext): Promise<AuditReport> {
  const { state, clients, locks, graceLeft } = await lookAtReclaims(context);
  const recorded = withRecord(context, context.floatingIp, (record) => {
    const { comparedAt } = record.audit();
    const findings = record
      .findings()
      .filter(({ acknowledgedAt, at }) => acknowledgedAt === undefined || at === comparedAt);
    return { comparedAt: comparedAt ?? null, findings };
  });
  return { comparedAt: null, findings: [], ...recorded, state, clients, locks, graceLeft };
}

/** Marks all findings of the address as seen by an administrator. */
export function acknowledge(context: FailoverContext): void {
  withRecord(context, context.floatingIp, (record) => record.acknowledgeFindings(context.host.now()));
}

/** The files of the locks found missing, by their names, as far as these are to be had in a bounded time. */
async function withPaths(
  { host, floatingIp }: FailoverContext,
  findings: readonly Finding[],
): Promise<Finding[]> {
  const names = new Map<string, string>();
  for (const { fsid, mountpoint } of floatingIp.filesystems) {
    const inodes = findings.flatMap(({ lock }) => (lock?.fsid === fsid ? [lock.inode] : []));
    if (inodes.length === 0) continue;
    const root = host.path(mountpoint);
    const { paths, complete } = await pathsOfInodes(root, inodes);
    for (const inode of inodes) {
      const file = paths.get(inode);
      const why = complete ? 'no file has it any more' : 'its name was not found in time';
      const name = file === undefined ? `inode ${inode} on ${mountpoint}: ${why}` : path.relative(root, file);
      names.set(`${fsid} ${inode}`, file === undefined ? name : path.join(mountpoint, name));
    }
  }
  return findings.map((finding) => {
    const name = names.get(`${finding.lock?.fsid} ${finding.lock?.inode}`);
    return name === undefined ? finding : { ...finding, path: name };
  });
}
