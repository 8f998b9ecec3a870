import { encodeCall, type RpcCall } from '../../rpc/rpc-call.js';
import type { RpcReply } from '../../rpc/rpc-reply.js';
import type { Outstanding, Peer } from './outstanding.js';
import type { Rank, SendWindow } from './send-window.js';

/** How one attempt to get an answer ended. */
export type Answer =
  | { readonly kind: 'reply'; readonly reply: RpcReply }
  | { readonly kind: 'silence' }
  /** The kernel refused to send, with this errno: EHOSTUNREACH, EPERM, ... */
  | { readonly kind: 'unsent'; readonly errno: string }
  /** The answer is not wanted any more; nothing may be concluded about the peer. */
  | { readonly kind: 'dropped' };

/**
 * Sends one datagram; resolves when the kernel has taken it, or to the errno with which it refused. Never
 * rejects.
 */
export type Send = (datagram: Buffer, to: Peer) => Promise<string | undefined>;

export interface ExchangeParts {
  readonly send: Send;
  readonly outstanding: Outstanding;
  readonly window: SendWindow;
  /** The longest that an unanswered datagram holds its place in the window. */
  readonly holdMs: number;
}

/** All requests of one run. */
export class Exchange {
  readonly #parts: ExchangeParts;
  readonly #requests = new Set<Request>();

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
  }

  /** A new request to `peer`, sent by its `attempt`. */
  request(peer: Peer, call: Omit<RpcCall, 'xid'>): Request {
    const request = new Request(this.#parts, peer, call, () => this.#requests.delete(request));
    this.#requests.add(request);
    return request;
  }

  /** Drops every request. */
  stop(): void {
    this.#parts.window.stop();
    for (const request of this.#requests) request.close();
  }
}

/**
 * One request with one xid, however often it is sent: an answer to an earlier datagram of it that comes
 * during a later attempt, or between two, is an answer.
 */
export class Request {
  readonly peer: Peer;
  readonly #parts: ExchangeParts;
  readonly #datagram: Buffer;
  readonly #xid: number;
  readonly #forget: () => void;
  #answer: Answer | undefined;
  #settle: ((answer: Answer) => void) | undefined;

  constructor(parts: ExchangeParts, peer: Peer, call: Omit<RpcCall, 'xid'>, forget: () => void) {
    this.peer = peer;
    this.#parts = parts;
    this.#forget = forget;
    this.#xid = parts.outstanding.add(peer, (reply) => {
      this.#end({ kind: 'reply', reply });
    });
    this.#datagram = encodeCall({ ...call, xid: this.#xid });
  }

  /** Sends the request when its turn comes, and then waits `timeoutMs` for the answer. One at a time. */
  async attempt(rank: Rank, timeoutMs: number): Promise<Answer> {
    if (this.#answer !== undefined) return this.#answer;
    const { window } = this.#parts;
    if (!(await window.enter(rank))) return { kind: 'dropped' };
    if (this.#answer !== undefined) {
      window.leave();
      return this.#answer;
    }
    return this.#sendAndWait(timeoutMs);
  }

  /** Stops waiting; an attempt under way ends as dropped. */
  close(): void {
    this.#parts.outstanding.remove(this.#xid);
    this.#end({ kind: 'dropped' });
  }

  #sendAndWait(timeoutMs: number): Promise<Answer> {
    const { send, window, holdMs } = this.#parts;
    return new Promise((resolve) => {
      let timeout: NodeJS.Timeout | undefined;
      let hold: NodeJS.Timeout | undefined;
      let left = false;
      const leave = (): void => {
        if (!left) window.leave();
        left = true;
      };
      const settle = (answer: Answer): void => {
        clearTimeout(timeout);
        clearTimeout(hold);
        this.#settle = undefined;
        leave();
        resolve(answer);
      };
      this.#settle = settle;
      const sendNow = async (): Promise<void> => {
        const errno = await send(this.#datagram, this.peer);
        if (this.#settle !== settle) return;
        if (errno !== undefined) {
          settle({ kind: 'unsent', errno });
          return;
        }
        // Only now: a full socket buffer of ours is not the peer's silence.
        timeout = setTimeout(settle, timeoutMs, { kind: 'silence' });
        hold = setTimeout(leave, holdMs);
      };
      void sendNow();
    });
  }

  #end(answer: Answer): void {
    this.#answer ??= answer;
    this.#forget();
    this.#settle?.(answer);
  }
}
