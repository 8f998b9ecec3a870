/** How long to wait for an answer: doubling from `firstMs` to `capMs`, each time a little off. */
export interface BackoffPace {
  readonly firstMs: number;
  readonly capMs: number;
}

/** The nearer the deadline, the shorter the wait: never more than this part of the time that is left. */
const partOfTimeLeft = 1 / 4;

/**
 * One client's waiting times. The jitter of up to 10 % either way keeps the retries of thousands of
 * silent clients, all first asked at once, from coming at once for ever.
 *
 * With the doubling alone, a client that comes up within the last wait before the deadline is never asked
 * again, and with 30 % of packets lost each way a grace of 10 s sees five tries, all of which fail one client in
 * thirty. So the last 16 s of a run, at the default pace, have a dozen tries instead of four.
 */
export class Backoff {
  readonly #pace: BackoffPace;
  readonly #random: () => number;
  readonly #timeLeft: () => number;
  #nextMs: number;

  /** `random` as Math.random: 0 <= n < 1. `timeLeft` until the deadline, in milliseconds; default: for ever. */
  constructor(pace: BackoffPace, random: () => number, timeLeft: () => number = () => Infinity) {
    this.#pace = pace;
    this.#random = random;
    this.#timeLeft = timeLeft;
    this.#nextMs = pace.firstMs;
  }

  /** The next waiting time in milliseconds. */
  next(): number {
    const ms = Math.min(this.#nextMs, Math.max(this.#pace.firstMs, this.#timeLeft() * partOfTimeLeft));
    this.#nextMs = Math.min(ms * 2, this.#pace.capMs);
    return ms * (0.9 + this.#random() * 0.2);
  }

  /** Starts over: the client has shown that it is there. */
  reset(): void {
    this.#nextMs = this.#pace.firstMs;
  }
}
