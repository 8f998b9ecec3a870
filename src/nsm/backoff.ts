/** How long to wait for an answer: doubling from `firstMs` to `capMs`, each time a little off. */
export interface BackoffPace {
  readonly firstMs: number;
  readonly capMs: number;
}

/**
 * One client's waiting times. The jitter of up to 10 % either way keeps the retries of thousands of
 * silent clients, all first asked at once, from coming at once for ever.
 */
export class Backoff {
  readonly #pace: BackoffPace;
  readonly #random: () => number;
  #nextMs: number;

  /** `random` as Math.random: 0 <= n < 1. */
  constructor(pace: BackoffPace, random: () => number) {
    this.#pace = pace;
    this.#random = random;
    this.#nextMs = pace.firstMs;
  }

  /** The next waiting time in milliseconds. */
  next(): number {
    const ms = this.#nextMs;
    this.#nextMs = Math.min(ms * 2, this.#pace.capMs);
    return ms * (0.9 + this.#random() * 0.2);
  }

  /** Starts over: the client has shown that it is there. */
  reset(): void {
    this.#nextMs = this.#pace.firstMs;
  }
}
