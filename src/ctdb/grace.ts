// What the grace of each node must cover, so that no lock is given away between its loss and its reclaim.

/** As much is allowed for, seconds. */
export interface GraceParts {
  /** From the first start of all to the last one: limits.spreadMs. */
  readonly spread: number;
  /** Until the last client has been notified, from the start of its node. */
  readonly notify: number;
  /** Until that client has all its locks again. A Linux client that was refused in grace asks again after 5 s (fs/lockd/clntproc.c). */
  readonly reclaim: number;
}

/** What was seen, with three nodes on a busy machine: starts within 4 s, the last client notified 6 s after that. */
export const graceParts: GraceParts = { spread: 10, notify: 10, reclaim: 10 };

export function graceNeeded({ spread, notify, reclaim }: GraceParts = graceParts): number {
  return spread + notify + reclaim;
}

/** Why a grace of so many seconds is too short, as a sentence; undefined: it is not. */
export function whyTooShort(seconds: number, parts: GraceParts = graceParts): string | undefined {
  const needed = graceNeeded(parts);
  if (seconds >= needed) return undefined;
  const { spread, notify, reclaim } = parts;
  return `a grace of ${seconds} s is too short: the last node may start ${spread} s after the first one, notifying its clients takes ${notify} s, and their reclaims ${reclaim} s, together ${needed} s`;
}
