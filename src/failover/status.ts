import type { FloatingIp } from '../config/config.js';
import { findAddress } from '../host/addresses.js';
import { servingJournal } from '../host/serving.js';
import { readMarks } from '../record/marks.js';
import { type Reader, readRecord } from './reading.js';
import { recordLocation, recordReachable } from './session.js';

/** One object a line of `status --json`. Times are ISO 8601 in UTC. */
export interface AddressStatus {
  readonly address: string;
  readonly here: { readonly addressUp: boolean; readonly recording: boolean };
  /** Why there is no record, where there is none. */
  readonly unreachable?: string;
  readonly record?: {
    readonly owner: string | null;
    readonly epoch: number;
    readonly released: boolean;
    readonly nsmState: number | null;
    readonly clients: number;
    readonly untold: number;
    readonly badLines: number;
    readonly lastOperation: {
      readonly kind: string;
      readonly node: string;
      readonly outcome: string;
      readonly detail: string;
      readonly startedAt: string;
      readonly endedAt: string | null;
    } | null;
  };
  /** What the callout could not write for this address. */
  readonly marks: readonly string[];
}

export async function addressStatus(
  reader: Reader & { readonly run: string },
  ip: FloatingIp,
): Promise<AddressStatus> {
  const { host, run } = reader;
  const record = readRecord(reader, ip, (opened): NonNullable<AddressStatus['record']> => {
    const { owner, epoch, released } = opened.ownership();
    const last = opened.lastOperation();
    return {
      owner: owner ?? null,
      epoch,
      released,
      nsmState: opened.nsmState() ?? null,
      clients: opened.clientNames().length,
      untold: opened.untold().length,
      badLines: opened.badLines().length,
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
  });
  const { onVolume } = recordLocation(host, ip);
  return {
    address: ip.address,
    here: {
      addressUp: (await findAddress(host, ip.address)) !== undefined,
      recording: servingJournal(run, ip.address) !== undefined,
    },
    ...(record !== undefined
      ? { record }
      : recordReachable(host, ip)
        ? {}
        : {
            unreachable:
              onVolume === undefined
                ? `${ip.stateDirectory} is not there`
                : `on ${onVolume}, which is not mounted here`,
          }),
    marks: readMarks(run)
      .filter((mark) => mark.address === ip.address)
      .map((mark) => mark.text),
  };
}

/** The last name that the callout refused, where it refused one. */
export function refusedMark(run: string): string | undefined {
  return readMarks(run).find((mark) => mark.address === 'refused')?.text;
}
