import type { CtdbTimeouts } from '../config/config.js';
import { usualTimeouts } from './limits.js';

// What the grace of each node must cover, so that no lock is given away between its loss and its reclaim.

/** As much is allowed for, seconds: from the first start of all to the last one, to notify, to reclaim. */
export type GraceParts = Pick<CtdbTimeouts, 'spread' | 'notify' | 'reclaim'>;

export function graceNeeded({ spread, notify, reclaim }: GraceParts = usualTimeouts): number {
  return spread + notify + reclaim;
}

/** Why a grace of so many seconds is too short, as a sentence; undefined: it is not. */
export function whyTooShort(seconds: number, parts: GraceParts = usualTimeouts): string | undefined {
  const needed = graceNeeded(parts);
  if (seconds >= needed) return undefined;
  const { spread, notify, reclaim } = parts;
  return `a grace of ${seconds} s is too short: the last node may start ${spread} s after the first one, notifying its clients takes ${notify} s, and their reclaims ${reclaim} s, together ${needed} s`;
}
