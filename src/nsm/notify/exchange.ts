import { encodeCall, type RpcCall } from '../../rpc/rpc-call.js';
import type { RpcReply } from '../../rpc/rpc-reply.js';
import type { Protocol } from '../../rpc/rpcbind-messages.js';
import type { Outstanding, Peer } from './outstanding.js';
import type { Rank, SendWindow } from './send-window.js';

/** How one attempt to get an answer ended. */
export type Answer =
  | { readonly kind: 'reply'; readonly reply: RpcReply }
  /** `elsewhere`: from where an answer came that does not count. */
  | { readonly kind: 'silence'; readonly elsewhere?: string }
  /** The kernel refused to send, with this errno: EHOSTUNREACH, EPERM, ... */
  | { readonly kind: 'unsent'; readonly errno: string }
  /** The answer is not wanted any more; nothing may be concluded about the peer. */
  | { readonly kind: 'dropped' };

/**
 * Sends one datagram; resolves when the kernel has taken it, or to the errno with which it refused. Never
 * rejects.
 */
export type Send = (datagram: Buffer, to: Peer) => Promise<string | undefined>;

/** One call over TCP, with a connection of its own; never rejects. */
export type Stream = (
  call: Omit<RpcCall, 'xid'>,
  to: Peer,
  timeoutMs: number,
  signal: AbortSignal,
) => Promise<Answer>;

/** What one client is asked, or notified, by: over UDP or TCP. */
export interface Asking {
  /** Sends when its turn comes, and then waits `timeoutMs` for the answer. One at a time. */
  attempt(rank: Rank, timeoutMs: number): Promise<Answer>;
  /** Stops waiting; an attempt under way ends as dropped. */
  close(): void;
}

export interface ExchangeParts {
  readonly send: Send;
  readonly stream: Stream;
  /** Of connections, which a host that is down keeps open until its attempt is over. */
  readonly streamWindow: SendWindow;
  readonly outstanding: Outstanding;
  readonly window: SendWindow;
  /** The longest that an unanswered datagram holds its place in the window. */
  readonly holdMs: number;
}

/** All requests of one run. */
export class Exchange {
  readonly #parts: ExchangeParts;
  readonly #requests = new Set<Asking>();

  constructor(parts: ExchangeParts) {
    this.#parts = parts;
  }

  /** A new request to `peer`, sent by its `attempt`. */
  request(peer: Peer, call: Omit<RpcCall, 'xid'>, protocol: Protocol = 'udp'): Asking {
    const forget = () => void this.#requests.delete(request);
    const request: Asking =
      protocol === 'udp'
        ? new Request(this.#parts, peer, call, forget)
        : new StreamRequest(this.#parts, peer, call, forget);
    this.#requests.add(request);
    return request;
  }

  /** Drops every request. */
  stop(): void {
    this.#parts.window.stop();
    this.#parts.streamWindow.stop();
    for (const request of this.#requests) request.close();
  }
}

/**
 * One request with one xid, however often it is sent: an answer to an earlier datagram of it that comes
 * during a later attempt, or between two, is an answer.
 */
class Request implements Asking {
  readonly peer: Peer;
  readonly #parts: ExchangeParts;
  readonly #datagram: Buffer;
  readonly #xid: number;
  readonly #forget: () => void;
  #answer: Answer | undefined;
  #elsewhere: string | undefined;
  #settle: ((answer: Answer) => void) | undefined;

  constructor(parts: ExchangeParts, peer: Peer, call: Omit<RpcCall, 'xid'>, forget: () => void) {
    this.peer = peer;
    this.#parts = parts;
    this.#forget = forget;
    this.#xid = parts.outstanding.add(
      peer,
      (reply) => this.#end({ kind: 'reply', reply }),
      (sender) => {
        if (sender.address !== peer.address) this.#elsewhere = sender.address;
      },
    );
    this.#datagram = encodeCall({ ...call, xid: this.#xid });
  }

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
        timeout = setTimeout(() => settle(this.#silence()), timeoutMs);
        hold = setTimeout(leave, holdMs);
      };
      void sendNow();
    });
  }

  #silence(): Answer {
    return this.#elsewhere === undefined
      ? { kind: 'silence' }
      : { kind: 'silence', elsewhere: this.#elsewhere };
  }

  #end(answer: Answer): void {
    this.#answer ??= answer;
    this.#forget();
    this.#settle?.(answer);
  }
}

/** The same over TCP: each attempt is a connection, and a transaction, of its own. */
class StreamRequest implements Asking {
  readonly #parts: ExchangeParts;
  readonly #peer: Peer;
  readonly #call: Omit<RpcCall, 'xid'>;
  readonly #forget: () => void;
  readonly #closing = new AbortController();

  constructor(parts: ExchangeParts, peer: Peer, call: Omit<RpcCall, 'xid'>, forget: () => void) {
    this.#parts = parts;
    this.#peer = peer;
    this.#call = call;
    this.#forget = forget;
  }

  async attempt(rank: Rank, timeoutMs: number): Promise<Answer> {
    const { stream, streamWindow } = this.#parts;
    const { signal } = this.#closing;
    if (signal.aborted || !(await streamWindow.enter(rank))) return { kind: 'dropped' };
    try {
      return await stream(this.#call, this.#peer, timeoutMs, signal);
    } finally {
      streamWindow.leave();
    }
  }

  close(): void {
    this.#closing.abort();
    this.#forget();
  }
}
