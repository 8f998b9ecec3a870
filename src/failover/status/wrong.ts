import { isLoss } from '../reclaim/reclaim.js';
import { listed } from '../access/unrecorded.js';
import type { Obstacle } from '../../host/action.js';
import type { DaemonState } from '../../lockmanager/port.js';
import type { AddressStatus } from './status.js';

/** What was seen of an address on this node beside what status shows. */
export interface Seen {
  readonly isInstance: boolean;
  /** There is a serving link, whatever it points to. */
  readonly isLinked: boolean;
  /** The journal that its callouts write to, where it is not that of its record. */
  readonly recordedElsewhere: string | undefined;
  /** The record lies on storage that every node sees. */
  readonly mustReachRecord: boolean;
  /** Any volume of it, unless others mount them: another node must not. */
  readonly volumeIsMounted: boolean;
  /** What of its volumes is here in another way, as sentences. */
  readonly volumesBeside: readonly string[];
  readonly unmounted: readonly string[];
  /** Mount points of volumes that are to be read and written, and cannot be. */
  readonly readOnly: readonly string[];
  /** Why the address, which is up, is not where it ought to be, or of no use, as a sentence. */
  readonly misplaced: string | undefined;
  /** Exports through which clients with AUTH_SYS reach the record. */
  readonly exposed: readonly string[];
  /** Anything of it is. */
  readonly isExported: boolean;
  /** Each export that is not as B-5 makes it, as a sentence. */
  readonly unexported: readonly string[];
  /** Of a lock manager that says nothing of its daemons, as the next. */
  readonly statdRuns: boolean;
  readonly lockManagerIsUp: boolean;
  /** Whether that is this node's name. */
  readonly isNode: (name: string) => boolean;
  /** A release or takeover of the address is going on. */
  readonly isOperating: boolean;
  /** The same of another address: a release may have frozen the record of this one too, until it has notified the clients of both (let-go.ts). */
  readonly isBusyBeside: boolean;
  /** Why rpc.statd has no client recorded. */
  readonly calloutFault: Obstacle | undefined;
  /** Why no call into grace is answered here, where other nodes export the same. */
  readonly unheard: Obstacle | undefined;
  /** Events that the callout could not write. */
  readonly lostEvents: readonly string[];
}

type Shown = Omit<AddressStatus, 'isHere' | 'ill' | 'wrong'>;

/**
 * What is wrong with an address on this node. Only what is here, or should be, counts: where another node has the address, nothing
 * of it is to be here. A client that is still to be notified is no fault of this node's, and may be gone for good.
 */
export function whatIsWrong(status: Shown, seen: Seen): Pick<AddressStatus, 'isHere' | 'ill' | 'wrong'> {
  const { here, record } = status;
  const isServed = here.addressUp || seen.isLinked || seen.isInstance || seen.isExported;
  // A volume of it that is mounted here must not be mounted elsewhere, wherever the record lies.
  const isHere = isServed || seen.volumeIsMounted || seen.volumesBeside.length > 0;
  const isOurs = record?.ownerHere === true && !record.released;
  const ill = isServed ? illOf(status, seen) : isHere ? leftover(status, seen, isOurs) : [];
  const missing =
    isOurs && !isHere ? [`this node owns it (epoch ${record.epoch}), and does not serve it`] : [];
  const unread = isServed
    ? []
    : [
        ...(seen.mustReachRecord && status.unreachable !== undefined
          ? [`its record cannot be reached: ${status.unreachable}`]
          : []),
        ...recordIll(status),
      ];
  return {
    isHere,
    ill,
    wrong: [
      ...ill,
      ...missing,
      ...unread,
      ...(isServed ? [] : exposedIll(seen)),
      ...historyOf(status, seen),
      ...unrecordedOf(status, seen),
      ...seen.lostEvents.map(lost),
      ...(seen.unheard === undefined ? [] : [seen.unheard.message]),
    ],
  };
}

function illOf(status: Shown, seen: Seen): string[] {
  const { here, record, lockManager } = status;
  const { calloutFault: fault } = seen;
  const unread = status.unreachable ?? 'there is none';
  return [
    ...(here.addressUp ? [] : ['the address is not up']),
    ...(seen.misplaced === undefined ? [] : [seen.misplaced]),
    ...(here.recording
      ? []
      : [
          seen.isLinked
            ? 'its journal is gone, so that no client is recorded'
            : 'its clients are not recorded',
        ]),
    ...(seen.recordedElsewhere === undefined
      ? []
      : [`its clients are recorded in ${seen.recordedElsewhere}, and that is not in its record`]),
    ...(here.frozen === true && !seen.isBusyBeside
      ? [
          `nobody leaves its record, as its clients are still to be notified (B-3): run "nlm-failover takeover ${status.address}"`,
        ]
      : []),
    ...recordIll(status),
    ...(record !== undefined || status.recordError !== undefined
      ? []
      : [`its record cannot be reached: ${unread}`]),
    ...(record === undefined ? [] : ownerIll(record)),
    ...seen.unmounted.map((mountpoint) => `${mountpoint} is not mounted`),
    ...seen.volumesBeside,
    ...seen.readOnly.map((mountpoint) => `${mountpoint} is mounted read-only`),
    ...seen.unexported,
    ...Object.entries(lockManager?.daemons ?? {}).flatMap(([name, state]) =>
      state === 'running' ? [] : [`${name} ${illTexts[state]}`],
    ),
    ...(seen.statdRuns ? [] : [`rpc.statd ${illTexts.dead}`]),
    ...(seen.lockManagerIsUp ? [] : ['the lock manager does not run']),
    ...exposedIll(seen),
    ...(fault === undefined || fault.isNote === true ? [] : [fault.message]),
  ];
}

function exposedIll({ exposed }: Seen): string[] {
  return exposed.map(
    (one) =>
      `clients with AUTH_SYS or an anonuid reach its record through the export of ${one}, and could erase it`,
  );
}

/** What is said of a daemon that does not run as it should. */
export const illTexts = {
  dead: 'is dead',
  unregistered: 'is not registered with rpcbind',
  silent: 'does not answer',
  deaf: 'runs, and can be told nothing until it is started anew: "nlm-failover check" says why',
  anew: 'was started anew, and the locks of the address are gone: take it over again',
} satisfies Record<Exclude<DaemonState, 'running'>, string>;

function ownerIll({ owner, ownerHere, released, epoch }: NonNullable<Shown['record']>): string[] {
  if (ownerHere && !released) return [];
  if (owner === null) return ['nobody owns it'];
  return [ownerHere ? `it was released (epoch ${epoch})` : `node ${owner} owns it (epoch ${epoch})`];
}

/** Volumes of it are mounted here, and nothing else is. */
function leftover({ record }: Shown, seen: Seen, isOurs: boolean): string[] {
  const { volumeIsMounted, volumesBeside } = seen;
  if (isOurs)
    return [`this node owns it (epoch ${record?.epoch ?? 0}), and does not serve it`, ...volumesBeside];
  return [
    ...(volumeIsMounted
      ? [
          'a volume of it is mounted, and the address is not served: a takeover or release has not ended, or somebody else mounted it',
        ]
      : []),
    ...volumesBeside,
  ];
}

function recordIll({ record, recordError }: Shown): string[] {
  if (recordError === undefined) return [];
  return [`its record cannot be ${record === undefined ? 'used' : 'written'} (${recordError.code})`];
}

/** What went wrong here, and nobody has put right or acknowledged. */
function historyOf({ address, record }: Shown, { isNode, isOperating }: Seen): string[] {
  if (record === undefined) return [];
  const { lastOperation: last, findings } = record;
  const losses = record.ownerHere ? findings.filter(isLoss).length : 0;
  const isOurs = last !== null && isNode(last.node);
  return [
    ...(isOurs && last.outcome === 'failed'
      ? [`the last ${last.kind} failed: run "nlm-failover ${last.kind} ${address}" again`]
      : []),
    ...(isOurs && last.endedAt === null && !isOperating
      ? [`the last ${last.kind} was interrupted: run "nlm-failover ${last.kind} ${address}" again`]
      : []),
    ...(losses === 0
      ? []
      : [`${losses} LOST or SILENT, and not acknowledged: nlm-failover audit ${address}`]),
  ];
}

function unrecordedOf({ address, unrecorded }: Shown, { calloutFault }: Seen): string[] {
  return [
    ...(calloutFault?.isNote === true ? [calloutFault.message] : []),
    ...(unrecorded.length === 0
      ? []
      : [
          `rpc.statd monitors hosts that are not in the record, and would not be notified: ${listed(unrecorded)}; run "nlm-failover takeover ${address}"`,
        ]),
  ];
}

function lost(text: string): string {
  return `the callout could not record an event: ${text}`;
}
