import { isCalled } from '../../record/barrier.js';

/** For so long, ms, after a look that opened a record and found no call there. A question (presence.ts) waits longer for its answer. */
const quietMs = 3000;

/**
 * The records in which a watcher has found that nobody calls. Each is looked at every second, and to open one on a cluster file system
 * asks every brick a dozen times: where no call lies there still, which one name tells, it is let be for a while.
 */
export class QuietRecords {
  readonly #seenAt = new Map<string, number>();

  /** Whether the record in that directory need not be opened, at `now` (performance.now()). */
  has(directory: string, now: number): boolean {
    const seenAt = this.#seenAt.get(directory);
    return seenAt !== undefined && now - seenAt < quietMs && !isCalled(directory);
  }

  /** It has been opened, and there is no call, or there may be one. */
  saw(directory: string, isQuiet: boolean, now: number): void {
    if (isQuiet) this.#seenAt.set(directory, now);
    else this.#seenAt.delete(directory);
  }
}
