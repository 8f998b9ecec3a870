import { lookup } from 'node:dns';
import type { Family } from '../../rpc/rpcbind-messages.js';

/** Finds one address of a host name; undefined if there is none, now. */
export type Resolve = (name: string, family: Family) => Promise<string | undefined>;

/** The most getaddrinfo calls at once: one thread of libuv's four stays for files. */
const maxLookups = 3;
/** The most that wait for their turn before nobody else is begun with. */
const maxWaiting = 64;

/**
 * Resolves host names as the host does, /etc/hosts first (getaddrinfo, not DNS alone). A lookup cannot
 * be cancelled, so few are under way at once and `stop` no longer waits for them.
 */
export class NameLookup {
  readonly #resolve: Resolve;
  readonly #queue: (() => void)[] = [];
  readonly #waiting = new Set<(address: undefined) => void>();
  #underWay = 0;
  #stopped = false;
  #waitsForRoom: (() => void) | undefined;

  constructor(resolve: Resolve = resolveByHost) {
    this.#resolve = resolve;
  }

  /** One address of `name`, or undefined if it does not resolve, or not before `stop`. */
  find(name: string, family: Family): Promise<string | undefined> {
    return new Promise((answer, fail) => {
      if (this.#stopped) {
        answer(undefined);
        return;
      }
      this.#waiting.add(answer);
      this.#queue.push(() => {
        this.#resolve(name, family)
          .then(answer, fail)
          .finally(() => {
            this.#waiting.delete(answer);
            this.#underWay -= 1;
            this.#startNext();
          });
      });
      this.#startNext();
    });
  }

  /** Waits until few names wait for their turn; false once stopped. For one caller. */
  async room(): Promise<boolean> {
    if (!this.#stopped && this.#queue.length >= maxWaiting)
      await new Promise<void>((resolve) => (this.#waitsForRoom = resolve));
    return !this.#stopped;
  }

  stop(): void {
    this.#stopped = true;
    this.#waitsForRoom?.();
    this.#queue.length = 0;
    for (const answer of this.#waiting) answer(undefined);
  }

  #startNext(): void {
    if (this.#underWay >= maxLookups) return;
    const start = this.#queue.shift();
    if (this.#queue.length < maxWaiting) this.#waitsForRoom?.();
    if (start === undefined) return;
    this.#underWay += 1;
    start();
  }
}

function resolveByHost(name: string, family: Family): Promise<string | undefined> {
  return new Promise((answer) => {
    lookup(name, { family }, (error, address) => {
      answer(error === null ? address : undefined);
    });
  });
}
