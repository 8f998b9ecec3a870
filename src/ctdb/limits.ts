import { graceParts } from './grace.js';
import type { Limits } from './machine.js';

/** What was seen, three nodes on a busy machine: 1 s until all refused, 3 s until all had stopped, 4 s from the first start to the last. */
export const usualLimits: Limits = {
  waitMs: 10_000,
  spreadMs: graceParts.spread * 1000,
  // Three beats of a node that has nothing to do.
  freshMs: 16_000,
  closedMs: 40_000,
  // Longer than two waits: whoever is killed refuses until the others are in grace.
  ruleMs: 30_000,
  retryMs: 30_000,
};

/** So long after the last takeip or releaseip nothing more is expected to move, ms: they are 0.1 s apart, and ipreallocated comes 1 s after them. */
export const quietMs = 3000;
