/** What the preload is given, as JSON in the environment variable NLM_FAULT. */
export interface Fault {
  /** File that gets one line for each effect that was reached. */
  readonly log?: string;
  /** Number of the effect to strike at, from 1; none: only write the list. */
  readonly strike?: number;
  readonly side?: 'before' | 'after';
  /**
   * kill: SIGKILL to itself. error: the effect fails, before it was done or after. term: SIGTERM to itself.
   * freeze: writes `marker` and does nothing more for ever, so that the power can be cut at this very point.
   * stop: writes `marker` and SIGSTOPs itself; SIGCONT lets it go on.
   */
  readonly how?: 'kill' | 'error' | 'term' | 'freeze' | 'stop';
  readonly marker?: string;
}

/** One effect of a process, as the preload wrote it down. */
export interface Effect {
  readonly number: number;
  /** `writeFileSync`, `COMMIT`, `ip`... */
  readonly kind: string;
  /** The path, the statement or the command. */
  readonly what: string;
}

/** Each way in which a test may strike at an effect, but for a signal that the command hears. */
export const strikes: readonly Pick<Fault, 'how' | 'side'>[] = [
  { how: 'kill', side: 'before' },
  { how: 'kill', side: 'after' },
  { how: 'error', side: 'before' },
  { how: 'error', side: 'after' },
];

export const faultVariable = 'NLM_FAULT';
