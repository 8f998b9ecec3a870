import type { FloatingIp } from '../../config/config.js';
import { FailoverError } from '../../errors.js';
import { machineIfKnown } from '../../host/reading/machine-id.js';
import {
  isNamesake,
  isOwnedBy,
  isPresumed,
  largeJournalText,
  type MonitorRecord,
} from '../../record/record.js';
import { type Reader, withFoldedView } from '../access/with-record.js';
import { findingReport } from '../reclaim/finding-report.js';
import type { AddressStatus } from './status.js';

/** What the record of an address says. One bad record is said, and does not hide how the other addresses are. */
export function recordStatus(reader: Reader, ip: FloatingIp): Pick<AddressStatus, 'record' | 'recordError'> {
  try {
    const shown = withFoldedView(reader, ip, (opened, unwritable) => ({
      // An operation may be under way: its epoch must not be shown with the NSM state of the one before.
      record: opened.atOneMoment('reading the status', () => describeRecord(reader, opened)),
      ...(unwritable === undefined ? {} : { recordError: errorOf(unwritable) }),
    }));
    return shown ?? {};
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    return { recordError: errorOf(error) };
  }
}

function errorOf(error: FailoverError): NonNullable<AddressStatus['recordError']> {
  const { code, message, hint } = error;
  return { code, message, hint: hint ?? null };
}

function describeRecord(
  { host, config }: Reader,
  opened: MonitorRecord,
): NonNullable<AddressStatus['record']> {
  const ownership = opened.ownership();
  const { owner, epoch, released } = ownership;
  const me = { node: config.node, machine: machineIfKnown(host) };
  const last = opened.lastOperation();
  return {
    owner: owner ?? null,
    ownerHere: isOwnedBy(ownership, me),
    ...(isNamesake(ownership, me) ? { otherMachine: true } : {}),
    epoch,
    released,
    ...(isPresumed(ownership) ? { presumed: true } : {}),
    nsmState: opened.nsmState() ?? null,
    clients: opened.clientNames().length,
    notNotified: opened.toNotify().length,
    badLines: opened.badLines().length,
    remarks: opened.largeJournals().map(largeJournalText),
    findings: opened
      .findings()
      .filter(({ acknowledgedAt, verdict }) => acknowledgedAt === undefined && verdict !== 'idle')
      .map(findingReport),
    lastOperation:
      last === undefined
        ? null
        : {
            kind: last.kind,
            node: last.node,
            outcome: last.outcome ?? 'running or interrupted',
            detail: last.detail ?? '',
            startedAt: new Date(last.startedAt).toISOString(),
            endedAt: last.endedAt === undefined ? null : new Date(last.endedAt).toISOString(),
          },
  };
}
