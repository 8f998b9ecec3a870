import path from 'node:path';
import type { FloatingIp } from '../config/config.js';
import { findAddress } from '../host/addresses.js';
import { daemonNames } from '../host/instance/daemons.js';
import { insideInstance } from '../host/instance/inside.js';
import { instanceExists, instancePlace } from '../host/instance/place.js';
import { instanceProcesses } from '../host/instance/processes.js';
import { lockdInGrace, nfsdThreads } from '../host/nfsd.js';
import { servingJournal } from '../host/serving.js';
import type { Host } from '../host/host.js';
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
  /** The address's instance, with the driver lockd-netns. */
  readonly instance?: InstanceStatus;
  /** What the callout could not write for this address. */
  readonly marks: readonly string[];
}

/** With an instance, what of it runs. */
export interface InstanceStatus {
  readonly daemons: Readonly<Record<string, 'running' | 'dead'>>;
  readonly nfsdThreads: number;
  readonly inGrace: boolean;
}

export async function addressStatus(
  reader: Reader & { readonly run: string },
  ip: FloatingIp,
): Promise<AddressStatus> {
  const { host } = reader;
  const instance = instanceStatus(reader, ip);
  const place = instance === undefined ? undefined : instanceView(ip.address);
  const run = place?.run ?? reader.run;
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
      addressUp: (await findAddress(place?.host ?? host, ip.address)) !== undefined,
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
    ...(instance === undefined ? {} : { instance }),
    marks: readMarks(run)
      .filter(({ address }) => address === ip.address || (instance !== undefined && address === 'refused'))
      .map((mark) => mark.text),
  };
}

function instanceStatus({ host, config }: Reader, { address }: FloatingIp): InstanceStatus | undefined {
  if (host.kind !== 'real' || !instanceExists(host, address)) return undefined;
  const { host: inside } = instanceView(address);
  const running = new Set(instanceProcesses(host, address).map(({ name }) => name));
  return {
    daemons: Object.fromEntries(
      daemonNames.map((name) => [name, running.has(name) ? ('running' as const) : ('dead' as const)]),
    ),
    nfsdThreads: nfsdThreads(inside, config.lockManager.nfsd),
    inGrace: lockdInGrace(inside) === true,
  };
}

/** Whether something that should run does not. */
export function isBroken({ here, instance }: AddressStatus): boolean {
  if (instance === undefined) return here.addressUp !== here.recording;
  return instance.nfsdThreads === 0 || Object.values(instance.daemons).includes('dead');
}

/** The last name that the callout refused, where it refused one. */
export function refusedMark(run: string): string | undefined {
  return readMarks(run).find((mark) => mark.address === 'refused')?.text;
}

/** How the host is seen from an instance, and where its serving links are. */
function instanceView(address: string): { host: Host; run: string } {
  return { host: insideInstance(address), run: path.join(instancePlace(address).run, 'nlm-failover') };
}
