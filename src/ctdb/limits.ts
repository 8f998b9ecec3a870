import type { CtdbTimeouts } from '../config/config.js';
import { toTimeouts } from '../config/timeout-words.js';
import type { Limits } from './machine.js';

/** As [timeouts] has it; the waits fit into each other (ctdbProblems). */
export function limitsOf({ wait, spread, refuse, closed }: CtdbTimeouts): Limits {
  return {
    waitMs: wait * 1000,
    spreadMs: spread * 1000,
    // Three beats of a node that has nothing to do.
    freshMs: 16_000,
    closedMs: closed * 1000,
    ruleMs: refuse * 1000,
    retryMs: 30_000,
  };
}

/** Where the file says nothing. */
export const usualTimeouts: CtdbTimeouts = toTimeouts({}).ctdb;
export const usualLimits: Limits = limitsOf(usualTimeouts);
