import { setTimeout as pause } from 'node:timers/promises';

/** Looks again until `what` is so; gives up, by name, after three minutes. */
export async function waitFor(name: string, what: () => Promise<boolean>, betweenMs = 20): Promise<void> {
  for (const start = performance.now(); performance.now() - start < 180_000; await pause(betweenMs)) {
    if (await what()) return;
  }
  throw new Error(`waited three minutes for ${name}`);
}
