import type { Wanted } from './machine.js';
import type { Covered } from './local.js';

/** What is so on this node, and what events have said. */
export interface Situation {
  /** By the monotonic clock, ms. */
  readonly now: number;
  /** The public addresses that it has, sorted. */
  readonly addresses: readonly string[];
  /** The word of the last move; undefined: none since the boot. */
  readonly moved: string | undefined;
  /** That with which CTDB had ended last. */
  readonly settled: string | undefined;
  /** By its last reconfiguration; undefined: none since the boot. */
  readonly covered: Covered | undefined;
}

/** Since when it has been so. */
export interface Since {
  readonly key: string;
  readonly at: number;
}

/**
 * Whether this node wants a reconfiguration. After a takeip or releaseip: as soon as ipreallocated has come, and where that does not come
 * (`ctdb moveip` of CTDB 4.17), `quietMs` after the last of them. Where no event has said so, and its addresses are others than those of
 * its last reconfiguration: when that has been so for as long, since an event may be about to.
 */
export function wantedBy(
  { now, addresses, moved, settled, covered }: Situation,
  before: Since | undefined,
  quietMs: number,
): { readonly wanted: Wanted | undefined; readonly since: Since | undefined } {
  const isMoved = moved !== undefined && moved !== covered?.moved;
  const isOther = addresses.join(' ') !== (covered?.addresses.join(' ') ?? '');
  if (!isMoved && !isOther) return { wanted: undefined, since: undefined };
  const key = isMoved ? `moved ${moved}` : `has ${addresses.join(' ')}`;
  const since = before?.key === key ? before : { key, at: now };
  const isQuiet = now - since.at >= quietMs;
  if (isMoved) return { wanted: settled === moved || isQuiet ? 'event' : undefined, since };
  return { wanted: isQuiet ? 'found' : undefined, since };
}
