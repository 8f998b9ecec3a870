import type { FloatingIp, Volume } from '../../config/config.js';
import { isManaged, volumesOf } from '../../config/floating-ip.js';
import type { ErrorCode } from '../../error-codes.js';
import { isTimeout } from '../../host/running/deadline.js';
import { carriesFsid, exportedAsWell } from '../../host/reading/exports.js';
import { type AddressPlace, duplicateCheckOf, placesOf } from '../../host/reading/addresses.js';
import { isReadOnlyUnasked, mountAt, mountOfDevice } from '../../host/reading/mounts.js';
import type { Host } from '../../host/host.js';
import { isOperating } from '../../rundir/operating.js';
import {
  isFrozen,
  isRecording,
  runDirectory,
  servingJournal,
  syncedAddresses,
} from '../../rundir/serving.js';
import { readMarks, unsynced } from '../../rundir/marks.js';
import { driverHere } from '../../lockmanager/choose.js';
import { servedHere } from '../../lockmanager/served-here.js';
import type { Health, LockManager } from '../../lockmanager/port.js';
import type { NodeReader } from '../access/with-record.js';
import { unrecorded } from '../access/unrecorded.js';
import { recordLocation, whyUnreachable } from '../access/location.js';
import { whyUnheard } from '../sharing/heard.js';
import type { FindingReport } from '../reclaim/finding-report.js';
import { notedVolumes, volumesBeside } from './volumes-here.js';
import { whatIsWrong } from './wrong.js';

/** One object a line of `status --json`. Times are ISO 8601 in UTC. */
export interface AddressStatus {
  readonly address: string;
  readonly here: {
    readonly addressUp: boolean;
    readonly recording: boolean;
    /** Set where it is recorded here and nobody leaves its record: until B-3. */
    readonly frozen?: true;
  };
  /** Set where this node serves an address that its configuration does not have. */
  readonly unconfigured?: true;
  /** Why there is no record, where there is none. */
  readonly unreachable?: string;
  readonly record?: {
    readonly owner: string | null;
    /** Whether that is this node. */
    readonly ownerHere: boolean;
    /** Set where the owner is another machine that has this node's name. */
    readonly otherMachine?: true;
    readonly epoch: number;
    readonly released: boolean;
    /** After a rebuild, until the next takeover: the owner is who served last as the journals have it. */
    readonly presumed?: boolean;
    readonly nsmState: number | null;
    readonly clients: number;
    readonly notNotified: number;
    readonly badLines: number;
    /** What else is worth a look, as sentences: a journal that is too large. */
    readonly remarks: readonly string[];
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
  /** Why it cannot be used, where it is there: corrupt, locked, unsafe... Beside `record`: why it can only be read. */
  readonly recordError?: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly hint: string | null;
  };
  /** How the lock manager is that serves the address here, where its driver can tell. */
  readonly lockManager?: Health & { readonly driver: string };
  /** What the callout could not write, or not make durable, for this address. */
  readonly marks: readonly string[];
  /** Whom rpc.statd monitors here and the record has not: they would not be notified. */
  readonly unrecorded: readonly string[];
  /** Whether anything of the address is here, so that it must not be served elsewhere. */
  readonly isHere: boolean;
  /** What keeps it from being served well here, as sentences; where it is not here, nothing. */
  readonly ill: readonly string[];
  /** All that is wrong, that among it, as sentences. */
  readonly wrong: readonly string[];
}

export async function addressStatus(reader: NodeReader, ip: FloatingIp): Promise<AddressStatus> {
  const driver = await driverHere(reader.drivers, { ...reader, floatingIp: ip });
  const { host, run } = driver ?? reader;
  const isInstance = driver !== undefined && driver.enter.length > 0;
  const link = driver?.interface ?? ip.interface;
  const places = await placesIn(host, ip.address, link);
  const recording = isRecording(run, ip.address);
  const here = {
    addressUp: places.length > 0,
    recording,
    ...(recording && isFrozen(run, ip.address) ? { frozen: true as const } : {}),
  };
  // On the node itself a lock manager may run, or not, for other addresses than this one.
  const isAsked = isInstance || here.addressUp || here.recording;
  const health = isAsked ? await driver?.health(reader) : undefined;
  const entries = (await driver?.exports.current()) ?? [];
  const exported = new Set(entries.map(({ path }) => path));
  const concerns = new Set([
    ip.address,
    ...(isInstance ? ['refused'] : []),
    ...(syncedAddresses(run).includes(ip.address) ? [unsynced] : []),
  ]);
  // Loaded only where there is a record to read, for what it costs.
  const why = whyUnreachable(reader.host, ip);
  const record =
    why === undefined ? (await import('./record-status.js')).recordStatus(reader, ip) : { unreachable: why };
  const marks = readMarks(run, [...concerns]);
  const { onVolume } = recordLocation(reader.host, ip);
  const volumes = volumesOf(ip);
  const mounted = volumes.filter((volume) => mountOfDevice(reader.host, volume) !== undefined);
  const isReadOnly = ({ mountpoint, options }: Volume) => {
    const mount = mountAt(reader.host, mountpoint);
    return mount !== undefined && isReadOnlyUnasked(mount, options);
  };
  const exports = ip.filesystems.flatMap((filesystem) =>
    filesystem.exports.map((one) => ({ one, filesystem })),
  );
  const unexported: string[] = [];
  for (const { one, filesystem } of exports) {
    const { path, clients } = one;
    if (!exported.has(path)) unexported.push(`${path} is not exported`);
    else if (isManaged(ip, 'export')) {
      // To whom, and how, is theirs to say; the fsid is in every file handle.
      if (entries.some((entry) => entry.path === path && !carriesFsid(entry, filesystem.fsid)))
        unexported.push(`${path} is exported without fsid=${filesystem.fsid}`);
    } else if ((await driver?.exports.has(one, filesystem)) === false)
      unexported.push(`${path} is not exported to ${clients} as the configuration says`);
  }
  for (const filesystem of driver === undefined ? [] : ip.filesystems) {
    const others = exportedAsWell(host, entries, filesystem);
    for (const { path, clients } of others)
      unexported.push(
        `fsid ${filesystem.fsid}, that of ${filesystem.mountpoint}, is exported with ${path} too, to ${clients}: clients may be given that file system`,
      );
  }
  const status = {
    address: ip.address,
    here,
    ...record,
    ...(driver === undefined || health === undefined
      ? {}
      : { lockManager: { driver: driver.name, ...health } }),
    marks: marks.map((mark) => mark.text),
    unrecorded: here.recording && driver !== undefined ? await unrecordedHosts(reader, ip, driver) : [],
  };
  const fault = here.recording ? await driver?.calloutFault(ip.address) : undefined;
  return {
    ...status,
    ...whatIsWrong(status, {
      isInstance,
      isLinked: servingJournal(run, ip.address) !== undefined,
      recordedElsewhere: here.recording ? await elsewhere({ ...reader, run }, ip) : undefined,
      mustReachRecord: onVolume === undefined,
      volumeIsMounted: mounted.length > 0 && !isManaged(ip, 'mount'),
      volumesBeside: volumesBeside(reader.host, reader.config, ip),
      unmounted: volumes.filter((one) => !mounted.includes(one)).map(({ mountpoint }) => mountpoint),
      readOnly: isManaged(ip, 'mount') ? [] : mounted.filter(isReadOnly).map(({ mountpoint }) => mountpoint),
      misplaced: misplaced(places, { ...ip, interface: link }) ?? duplicate(host, ip, places),
      exposed: why === undefined && driver !== undefined ? await exposedBy(reader, ip, driver) : [],
      // Every node exports what is shared, whoever has the address.
      isExported: ip.shared === undefined && exports.some(({ one }) => exported.has(one.path)),
      unexported: [...new Set(unexported)],
      statdRuns: !isAsked || health !== undefined || driver === undefined || driver.statdRuns(),
      lockManagerIsUp:
        !isAsked || health !== undefined || driver === undefined || (await driver.isUp(reader)),
      isNode: (name) => name === reader.config.node,
      isOperating: isOperating(runDirectory(reader.host), ip.address),
      isBusyBeside: reader.config.floatingIps.some(
        ({ address }) => address !== ip.address && isOperating(runDirectory(reader.host), address),
      ),
      calloutFault: fault,
      unheard:
        ip.shared === undefined
          ? undefined
          : whyUnheard(runDirectory(reader.host), reader.config, startsTogether(reader)),
      // What statd's user may have put in the place of a mark says nothing of a client.
      lostEvents: marks
        .filter(({ address, text }) => address === ip.address && text.includes(' not recorded: '))
        .map(({ text }) => text),
    }),
  };
}

/** Loaded only where there is a record to read. */
async function exposedBy({ host, config }: NodeReader, floatingIp: FloatingIp, driver: LockManager) {
  const { exposures } = await import('../access/exposure.js');
  return exposures({ host, config, floatingIp, driver });
}

/** Loaded where the node records. */
async function elsewhere(
  place: Pick<NodeReader, 'host' | 'run' | 'config'>,
  ip: FloatingIp,
): Promise<string | undefined> {
  const { recordedElsewhere } = await import('../access/recorded-elsewhere.js');
  return recordedElsewhere(place, ip);
}

/** Whom statd monitors here and the record has not. Loaded where the node records. */
async function unrecordedHosts(
  reader: NodeReader,
  ip: FloatingIp,
  driver: LockManager,
): Promise<readonly string[]> {
  const { seenInRecord } = await import('../access/with-record.js');
  return unrecorded(
    async () => (await driver.monitored())?.hosts ?? [],
    () => seenInRecord(reader, ip, (opened) => opened.clientNames()).value,
  );
}

/** Addresses that are served here, or mounted, and are not configured: their clients could not be notified. */
export async function unconfiguredStatus(reader: NodeReader): Promise<readonly AddressStatus[]> {
  const { host, config, run, drivers } = reader;
  const known = new Set(config.floatingIps.map(({ address }) => address));
  const served = servedHere(host, run, drivers).filter(({ address }) => !known.has(address));
  const mounted = notedVolumes(host).filter(
    ({ address }) => !known.has(address) && !served.some((one) => one.address === address),
  );
  const left = mounted.map(async ({ address, texts }) => ({
    address,
    unconfigured: true as const,
    here: { addressUp: (await placesIn(host, address)).length > 0, recording: false },
    marks: [],
    unrecorded: [],
    isHere: true,
    ill: texts,
    wrong: texts,
  }));
  return Promise.all([
    ...served.map(async ({ address, host: seen, run: links }) => ({
      address,
      unconfigured: true as const,
      here: {
        addressUp: (await placesIn(seen, address)).length > 0,
        recording: isRecording(links, address),
      },
      marks: readMarks(links, [address]).map((mark) => mark.text),
      unrecorded: [],
      isHere: true,
      ill: [notConfigured],
      wrong: [notConfigured],
    })),
    ...left,
  ]);
}

/** Why an address that is up is not where it ought to be, as a sentence. Of one that others bring up, its prefix length is theirs. */
function misplaced(places: readonly AddressPlace[], ip: FloatingIp): string | undefined {
  const [first] = places;
  const [there] = places.filter((place) => place.interface === ip.interface);
  if (first === undefined) return undefined;
  if (there === undefined)
    return `the address is up on ${first.interface}, and the configuration says ${ip.interface}`;
  return there.prefix === ip.prefix || isManaged(ip, 'address')
    ? undefined
    : `the address is up with prefix length ${there.prefix}, and the configuration says ${ip.prefix}`;
}

/** Detection runs again when the link was down: of an address that another host has meanwhile, the kernel makes no use. */
function duplicate(host: Host, ip: FloatingIp, places: readonly AddressPlace[]): string | undefined {
  const isFailed = ip.family === 6 && places.length > 0 && duplicateCheckOf(host, ip.address) === 'failed';
  return isFailed ? 'another host has the address too (IPv6 duplicate address detection)' : undefined;
}

async function placesIn(host: Host, address: string, link?: string): Promise<readonly AddressPlace[]> {
  try {
    return await placesOf(host, address, link);
  } catch (error) {
    if (isTimeout(error)) throw error;
    return []; // in an instance that was left half-built there is nothing to ask
  }
}

const notConfigured = 'it is served here, and is not in the configuration';

/** The last name that the callout refused, where it refused one. */
export function refusedMark(run: string): string | undefined {
  return readMarks(run, ['refused']).find((mark) => mark.address === 'refused')?.text;
}

/** Whether the configured lock manager is one that all nodes start together, by `ctdb serve`. */
function startsTogether({ drivers, config }: Pick<NodeReader, 'drivers' | 'config'>): boolean {
  return drivers.some(
    (module) => module.name === config.lockManager.driver && module.startsTogether === true,
  );
}
