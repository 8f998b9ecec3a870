/** Waits that a run can cut short all at once. */
export class Pauses {
  readonly #wakers = new Set<() => void>();
  #stopped = false;

  /** Waits `ms` milliseconds, or until the run stops; not at all if `ms` is not positive. */
  pause(ms: number): Promise<void> {
    if (this.#stopped || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#wakers.add(wake);
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const wake of this.#wakers) wake();
  }
}
