/**
 * What goes first when many wait to send; `seenRetry` and `firstTry` in turn: what was lost on the way to a client that has been seen of
 * late does not wait for the first tries of all others, nor these for the last of its retries.
 */
export const ranks = { followUp: 0, seenRetry: 1, firstTry: 2, retry: 3 } as const;
export type Rank = (typeof ranks)[keyof typeof ranks];

const orders = [
  [ranks.followUp, ranks.seenRetry, ranks.firstTry, ranks.retry],
  [ranks.followUp, ranks.firstTry, ranks.seenRetry, ranks.retry],
] as const;

/**
 * Bounds how many datagrams are on their way at once, so that no socket buffer overflows, ours or a
 * client's. A place is held until the answer, but not longer than a short time: the silence of the dead
 * must not cost the living their turn. Those who were just heard go first, retries of the silent last.
 */
export class SendWindow {
  readonly #queues = [new Waiters(), new Waiters(), new Waiters(), new Waiters()] as const;
  readonly #places: number;
  #free: number;
  #turn: 0 | 1 = 0;
  #stopped = false;
  #waitsForRoom: Waiter | undefined;

  constructor(places: number) {
    this.#places = places;
    this.#free = places;
  }

  /**
   * Waits until fewer wait for their first try than there are places: whoever begins with a million clients begins with one after another. False
   * once the run has stopped. For one caller.
   */
  room(): Promise<boolean> {
    if (this.#stopped || this.#hasRoom) return Promise.resolve(!this.#stopped);
    return new Promise((resolve) => (this.#waitsForRoom = resolve));
  }

  get #hasRoom(): boolean {
    return this.#queues[ranks.firstTry].length < this.#places;
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
    this.#turn = this.#turn === 0 ? 1 : 0;
    for (const rank of orders[this.#turn]) {
      const next = this.#queues[rank].shift();
      if (next === undefined) continue;
      next(true);
      if (this.#hasRoom) this.#admitToRoom(true);
      return;
    }
    this.#free += 1;
  }

  #admitToRoom(admitted: boolean): void {
    this.#waitsForRoom?.(admitted);
    this.#waitsForRoom = undefined;
  }

  /** Sends everybody who waits away, now and from now on. */
  stop(): void {
    this.#stopped = true;
    this.#admitToRoom(false);
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

  get length(): number {
    return this.#items.length - this.#head;
  }

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
