import type { RemoteInfo } from 'node:dgram';
import { errnoOf, messageOf } from '../../errors.js';
import type { Peer } from './outstanding.js';
import type { SourceSocket } from './source-socket.js';

/** What becomes of what arrives on a socket, and of a socket that breaks. */
export interface Listener {
  readonly received: (datagram: Buffer, sender: RemoteInfo) => void;
  readonly failed: (error: unknown) => void;
}

/** With a default socket buffer, more than 4,000 silent clients on the link before anybody waits. */
const maxSockets = 8;

/**
 * Sockets bound to one address, which send as one. A datagram to a host on the link that is down stays in
 * the socket's send buffer until the kernel gives its neighbour up, three seconds later (neigh_resolve_output;
 * net.ipv4.neigh.*.mcast_solicit, retrans_time_ms). Some 550 of them fill a default buffer
 * (net.core.wmem_default), and then nobody else is notified either: measured, with half of 1,500 clients down.
 * So whenever a socket is full, another one goes on.
 */
export class SocketGroup {
  readonly #open: () => Promise<SourceSocket>;
  readonly #listener: Listener;
  readonly #sockets: SourceSocket[] = [];
  #opening: Promise<string | undefined> | undefined;
  #closed = false;

  /** `open` opens the first socket, and each further one. */
  constructor(open: () => Promise<SourceSocket>, listener: Listener) {
    this.#open = open;
    this.#listener = listener;
  }

  /** Takes a socket that is open already. */
  add({ socket, ...bound }: SourceSocket): void {
    socket.on('error', this.#listener.failed);
    socket.on('message', this.#listener.received);
    this.#sockets.push({ socket, ...bound });
  }

  /**
   * Resolves when the kernel has taken the datagram, or to the errno with which it refused. The one that
   * finds a socket full stays in its queue, but does not wait there: it goes again from the next socket,
   * and a client that hears it twice has only heard it.
   */
  async send(datagram: Buffer, to: Peer): Promise<string | undefined> {
    let queued: Promise<string | undefined> | undefined;
    for (;;) {
      const free = this.#sockets.find(isFree);
      if (free !== undefined) {
        const sent = sendFrom(free, datagram, to);
        if (isFree(free)) return sent;
        queued = sent;
      } else if (this.#sockets.length < maxSockets && !this.#closed) {
        const errno = await (this.#opening ??= this.#openAnother());
        if (errno !== undefined) return queued ?? errno;
      } else {
        const [first] = this.#sockets;
        return queued ?? (first === undefined ? 'ECANCELED' : sendFrom(first, datagram, to));
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#opening;
    for (const { socket } of this.#sockets.splice(0)) socket.close();
  }

  /** Resolves to the errno for which there is no other socket. */
  async #openAnother(): Promise<string | undefined> {
    try {
      this.add(await this.#open());
      return undefined;
    } catch (error) {
      return errnoOf(error) ?? messageOf(error);
    } finally {
      this.#opening = undefined;
    }
  }
}

/** Whether the kernel has taken every datagram of it: node:dgram tries at once, and queues what it may not. */
function isFree({ socket }: SourceSocket): boolean {
  return socket.getSendQueueCount() === 0;
}

function sendFrom({ socket }: SourceSocket, datagram: Buffer, to: Peer): Promise<string | undefined> {
  return new Promise((resolve) => {
    socket.send(datagram, to.port, to.address, (error) => {
      resolve(error === null ? undefined : (errnoOf(error) ?? messageOf(error)));
    });
  });
}
