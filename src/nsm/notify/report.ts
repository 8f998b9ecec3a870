/** How many of how many clients have been notified. */
export interface Progress {
  readonly notified: number;
  readonly total: number;
}

export interface ReportParts {
  readonly total: number;
  readonly everyMs: number;
  readonly onProgress: ((progress: Progress) => void) | undefined;
  readonly onNotified: ((clients: string[]) => void) | undefined;
  /** Called once with what a callback threw; no callback is called after that. */
  readonly failed: (error: unknown) => void;
}

/**
 * Gathers who has been notified and passes it on in batches, each of which the caller can store in one
 * transaction; then how far it is, so that a live count never runs ahead of what is stored.
 */
export class Report {
  readonly #parts: ReportParts;
  readonly notified: string[] = [];
  #passedOn = 0;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(parts: ReportParts) {
    this.#parts = parts;
  }

  add(client: string): void {
    this.notified.push(client);
    if (this.#over) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#passOn();
    }, this.#parts.everyMs);
  }

  /** Passes the rest on, and the final count. */
  end(): void {
    clearTimeout(this.#timer);
    this.#passOn();
    this.#over = true;
  }

  #passOn(): void {
    if (this.#over) return;
    const batch = this.notified.slice(this.#passedOn);
    this.#passedOn = this.notified.length;
    try {
      if (batch.length > 0) this.#parts.onNotified?.(batch);
      this.#parts.onProgress?.({ notified: this.notified.length, total: this.#parts.total });
    } catch (error) {
      this.#over = true;
      this.#parts.failed(error);
    }
  }
}
