import type { Host } from './host.js';

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Between two looks; default 20 ms. */
  readonly intervalMs?: number;
}

/**
 * Looks until the predicate holds: true, or false when timeoutMs have passed without it.
 * For what the kernel and daemons do on their own time and tell nobody about.
 */
export async function waitUntil(
  host: Host,
  predicate: () => boolean | Promise<boolean>,
  { timeoutMs, intervalMs = 20 }: WaitOptions,
): Promise<boolean> {
  // The monotonic clock, so that a stepped wall clock neither ends nor prolongs a wait.
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    if (await predicate()) return true;
    if (performance.now() >= deadline) return false;
    await host.delay(intervalMs);
  }
}
