import type { FloatingIp } from '../../config/config.js';
import { FailoverError } from '../../errors.js';
import { isTimeout } from '../../host/running/deadline.js';
import { findAddress } from '../../host/reading/addresses.js';
import type { Host } from '../../host/host.js';
import { machineIfKnown } from '../../host/reading/machine-id.js';
import { isRecording, syncedAddresses } from '../../rundir/serving.js';
import { readMarks, unsynced } from '../../rundir/marks.js';
import { isNamesake, isPresumed, type MonitorRecord } from '../../record/record.js';
import {
  type InstanceReader,
  type InstanceStatus,
  instanceStatus,
  instanceView,
  isInstanceBroken,
} from './instance-status.js';
import { type FindingReport, findingReport } from '../reclaim/finding-report.js';
import { type Reader, withFoldedRecord } from '../access/with-record.js';
import { whyUnreachable } from '../access/session.js';

/** One object a line of `status --json`. Times are ISO 8601 in UTC. */
export interface AddressStatus {
  readonly address: string;
  readonly here: { readonly addressUp: boolean; readonly recording: boolean };
  /** Why there is no record, where there is none. */
  readonly unreachable?: string;
  readonly record?: {
    readonly owner: string | null;
    /** There where the owner is another machine that has this node's name. */
    readonly otherMachine?: true;
    readonly epoch: number;
    readonly released: boolean;
    /** After a rebuild, until the next takeover: the owner is who served last as the journals have it. */
    readonly presumed?: boolean;
    readonly nsmState: number | null;
    readonly clients: number;
    readonly untold: number;
    readonly badLines: number;
    /** What audits found and nobody has acknowledged; without those that mean nothing. */
    readonly findings: readonly FindingReport[];
    readonly lastOperation: {
      readonly kind: string;
      readonly node: string;
      readonly outcome: string;
      readonly detail: string;
      readonly startedAt: string;
      readonly endedAt: string | null;
    } | null;
  };
  /** Why it cannot be used, where it is there: corrupt, locked, unsafe... */
  readonly recordError?: {
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
  };
  /** The address's instance, with the driver lockd-netns. */
  readonly instance?: InstanceStatus;
  /** What the callout could not write, or not make durable, for this address. */
  readonly marks: readonly string[];
}

export async function addressStatus(
  reader: InstanceReader & { readonly run: string },
  ip: FloatingIp,
): Promise<AddressStatus> {
  const { host } = reader;
  const instance = await instanceStatus(reader, ip);
  const place = instance === undefined ? undefined : instanceView(ip.address);
  const run = place?.run ?? reader.run;
  const concerns = new Set([
    ip.address,
    ...(instance === undefined ? [] : ['refused']),
    ...(syncedAddresses(run).includes(ip.address) ? [unsynced] : []),
  ]);
  const why = whyUnreachable(host, ip);
  return {
    address: ip.address,
    here: {
      addressUp: await isUp(place?.host ?? host, ip.address),
      recording: isRecording(run, ip.address),
    },
    ...recordStatus(reader, ip),
    ...(why === undefined ? {} : { unreachable: why }),
    ...(instance === undefined ? {} : { instance }),
    marks: readMarks(run)
      .filter(({ address }) => concerns.has(address))
      .map((mark) => mark.text),
  };
}

/** One bad record is said, and does not hide how the other addresses are. */
function recordStatus(reader: Reader, ip: FloatingIp): Pick<AddressStatus, 'record' | 'recordError'> {
  try {
    const record = withFoldedRecord(reader, ip, (opened) =>
      // An operation may be under way: its epoch must not be shown with the NSM state of the one before.
      opened.atOneMoment('reading the status', () => describeRecord(reader, opened)),
    );
    return record === undefined ? {} : { record };
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    const { code, message, hint = null } = error;
    return { recordError: { code, message, hint } };
  }
}

function describeRecord(
  { host, config }: Reader,
  opened: MonitorRecord,
): NonNullable<AddressStatus['record']> {
  const ownership = opened.ownership();
  const { owner, epoch, released } = ownership;
  const last = opened.lastOperation();
  return {
    owner: owner ?? null,
    ...(isNamesake(ownership, { node: config.node, machine: machineIfKnown(host) })
      ? { otherMachine: true }
      : {}),
    epoch,
    released,
    ...(isPresumed(ownership) ? { presumed: true } : {}),
    nsmState: opened.nsmState() ?? null,
    clients: opened.clientNames().length,
    untold: opened.untold().length,
    badLines: opened.badLines().length,
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

async function isUp(host: Host, address: string): Promise<boolean> {
  try {
    return (await findAddress(host, address)) !== undefined;
  } catch (error) {
    if (isTimeout(error)) throw error;
    return false; // in an instance that was left half-built there is nothing to ask
  }
}

/** Whether something that should run does not. */
export function isBroken({ here, instance, recordError }: AddressStatus): boolean {
  if (recordError !== undefined) return true;
  return here.addressUp !== here.recording || (instance !== undefined && isInstanceBroken(instance));
}

/** The last name that the callout refused, where it refused one. */
export function refusedMark(run: string): string | undefined {
  return readMarks(run).find((mark) => mark.address === 'refused')?.text;
}
