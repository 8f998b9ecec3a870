import type { Send } from './exchange.js';
import type { Peer } from './outstanding.js';
import type { Family } from '../../rpc/rpcbind-messages.js';
import { type Listener, SocketGroup } from './socket-group.js';
import { openSourceSocket, type SourceSocket } from './source-socket.js';

export interface Source {
  /** The floating IP as text. */
  readonly address: string;
  readonly family: Family;
}

/**
 * The UDP sockets of a run: those bound to the floating IP, and, once they are needed, some bound to no
 * address, for the clients that cannot be notified from there:
 *
 * - those of the other family: a node that serves floating IPs of both families records each client under
 *   all of them, since statd never says which one it came through;
 * - those known by a link-local address: asked there from a global one, libtirpc (1.3.3, svc_dg.c) answers
 *   from the link-local one without its scope, which the kernel refuses, so no answer ever comes.
 *
 * Clients know the server by its name in SM_NOTIFY, if they monitor it.
 */
export class Sockets {
  readonly #source: Source;
  readonly #bound: SocketGroup;
  readonly #boundTo: string;
  readonly #unbound: Readonly<Record<Family, SocketGroup>>;

  /** Takes over `first`, the socket already bound to `source`. `bufferBytes` as in openSourceSocket. */
  constructor(source: Source, first: SourceSocket, listener: Listener, bufferBytes?: number) {
    const groupOf = (family: Family, address: string): SocketGroup =>
      new SocketGroup(() => openSourceSocket(family, address, bufferBytes), listener);
    this.#source = source;
    this.#boundTo = first.address;
    this.#bound = groupOf(source.family, first.address);
    this.#bound.add(first);
    this.#unbound = { 4: groupOf(4, '0.0.0.0'), 6: groupOf(6, '::') };
  }

  readonly send: Send = (datagram, to) =>
    (this.#isFromSource(to) ? this.#bound : this.#unbound[to.family]).send(datagram, to);

  /** The address that a connection to a peer comes from; undefined: whatever the kernel chooses. */
  sourceTo(to: Peer): string | undefined {
    return this.#isFromSource(to) ? this.#boundTo : undefined;
  }

  #isFromSource(to: Peer): boolean {
    const isReachable = isLinkLocal(this.#source.address) || !isLinkLocal(to.address);
    return to.family === this.#source.family && isReachable;
  }

  async close(): Promise<void> {
    await Promise.all([this.#bound, this.#unbound[4], this.#unbound[6]].map((group) => group.close()));
  }
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
