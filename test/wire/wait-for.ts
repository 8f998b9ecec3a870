import { setTimeout as pause } from 'node:timers/promises';

/** Looks again until `what` is so; gives up, by name, after three minutes, or as many seconds. */
export async function waitFor(
  name: string,
  what: () => Promise<boolean>,
  betweenMs = 20,
  seconds = 180,
): Promise<void> {
  const end = performance.now() + seconds * 1000;
  for (; performance.now() < end; await pause(betweenMs)) {
    if (await what()) return;
  }
  throw new Error(`waited ${seconds} s for ${name}`);
}
