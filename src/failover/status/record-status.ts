import type { FloatingIp } from '../../config/config.js';
import type { FailoverError } from '../../errors.js';
import { machineIfKnown } from '../../host/reading/machine-id.js';
import {
  isNamesake,
  isOwnedBy,
  isPresumed,
  largeJournalText,
  type MonitorRecord,
} from '../../record/record.js';
import { type Reader, seenInRecord } from '../access/with-record.js';
import { findingReport } from '../reclaim/finding-report.js';
import type { AddressStatus } from './status.js';

/** What the record of an address says. */
export function recordStatus(
  reader: Reader,
  ip: FloatingIp,
): Pick<AddressStatus, 'record' | 'recordError' | 'unreachable'> {
  // An operation may be under way: its epoch must not be shown with the NSM state of the one before.
  const { value, unreachable, error } = seenInRecord(reader, ip, (opened) =>
    opened.atOneMoment('reading the status', () => describeRecord(reader, opened)),
  );
  return {
    ...(value === undefined ? {} : { record: value }),
    ...(unreachable === undefined ? {} : { unreachable }),
    ...(error === undefined ? {} : { recordError: errorOf(error) }),
  };
}

/** As --json has it. */
export function errorOf({ code, message, hint }: FailoverError): NonNullable<AddressStatus['recordError']> {
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
    clients: opened.clientCount(),
    notNotified: opened.notifyCounts().notNotified,
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
