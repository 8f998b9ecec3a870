import { setTimeout as pause } from 'node:timers/promises';

/** Looks again until `what` is so; gives up, by name, after a minute. */
export async function waitFor(name: string, what: () => Promise<boolean>, betweenMs = 20): Promise<void> {
  for (const start = performance.now(); performance.now() - start < 60_000; await pause(betweenMs)) {
    if (await what()) return;
  }
  throw new Error(`waited a minute for ${name}`);
}
