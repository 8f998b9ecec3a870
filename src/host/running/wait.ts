import { currentDeadline } from './deadline.js';
import type { Host } from '../host.js';

export interface WaitOptions {
  /** Default: [timeouts].settle. */
  readonly seconds?: number | undefined;
  /** Between two looks, ms; default 20. */
  readonly intervalMs?: number;
}

/** For the sentence of whoever has waited in vain: how long, and what changes it. */
export function settleText(): string {
  return `${currentDeadline().limit.settle} s ([timeouts].settle)`;
}

/**
 * Looks until the predicate holds: true, or false when the time has passed without it. For what the kernel and daemons do on their
 * own time and tell nobody about. `what` is waited for, as the sentence has it where the step's own deadline comes first.
 * Throws FailoverError STEP_TIMEOUT then.
 */
export async function waitUntil(
  host: Host,
  what: string,
  predicate: () => boolean | Promise<boolean>,
  options: WaitOptions = {},
): Promise<boolean> {
  const deadline = currentDeadline();
  const { seconds = deadline.limit.settle, intervalMs = 20 } = options;
  // The monotonic clock, so that a stepped wall clock neither ends nor prolongs a wait.
  const end = performance.now() + seconds * 1000;
  for (;;) {
    if (await predicate()) return true;
    if (performance.now() >= end) return false;
    if (deadline.left === 0) throw deadline.error(`it waited for ${what}`);
    await host.delay(intervalMs);
  }
}
