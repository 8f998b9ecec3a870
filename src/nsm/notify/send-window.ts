/** What goes first when many wait to send. */
export const ranks = { followUp: 0, firstTry: 1, retry: 2 } as const;
export type Rank = (typeof ranks)[keyof typeof ranks];

/**
 * Bounds how many datagrams are on their way at once, so that no socket buffer overflows, ours or a
 * client's. A place is held until the answer, but not longer than a short time: the silence of the dead
 * must not cost the living their turn. Those who were just heard go first, retries of the silent last.
 */
export class SendWindow {
  readonly #queues: [Waiters, Waiters, Waiters] = [new Waiters(), new Waiters(), new Waiters()];
  #free: number;
  #stopped = false;

  constructor(places: number) {
    this.#free = places;
  }

  /** Waits for a place; false, and no place, once the run has stopped. */
  enter(rank: Rank): Promise<boolean> {
    if (this.#stopped) return Promise.resolve(false);
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      this.#queues[rank].push(resolve);
    });
  }

  /** Gives one's place to the next. */
  leave(): void {
    for (const queue of this.#queues) {
      const next = queue.shift();
      if (next !== undefined) {
        next(true);
        return;
      }
    }
    this.#free += 1;
  }

  /** Sends everybody who waits away, now and from now on. */
  stop(): void {
    this.#stopped = true;
    for (const queue of this.#queues) {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) next(false);
    }
  }
}

type Waiter = (admitted: boolean) => void;

/** First in, first out, in constant time for any length, which Array.shift is not. */
class Waiters {
  #items: Waiter[] = [];
  #head = 0;

  push(waiter: Waiter): void {
    this.#items.push(waiter);
  }

  shift(): Waiter | undefined {
    const waiter = this.#items[this.#head];
    if (waiter === undefined) return undefined;
    this.#head += 1;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    }
    return waiter;
  }
}
