import { decodeReply, peekXid, type RpcReply } from '../../rpc/rpc-reply.js';
import type { Family } from '../../rpc/rpcbind-messages.js';
import { isMalformed } from '../../rpc/xdr.js';

/** Where a request goes, and from where alone its reply may come. */
export interface Peer {
  readonly family: Family;
  /** As node:dgram reports a sender. */
  readonly address: string;
  readonly port: number;
}

/** A datagram's sender, as node:dgram reports it. */
export interface Sender {
  readonly address: string;
  readonly port: number;
}

interface Entry {
  readonly peer: Peer;
  readonly answered: (reply: RpcReply) => void;
  readonly elsewhere: ((sender: Sender) => void) | undefined;
}

/** SM_NOTIFY and rpcbind replies have under 300 bytes; what is larger is not worth decoding. */
const maxReplyBytes = 1024;

/**
 * The requests that wait for a reply, by xid. Anybody can send us UDP, and a client that is taken for
 * notified but was not loses its locks: so a reply counts only if it comes from the address and the port
 * that were asked, carries the unpredictable xid, and is a whole, well-formed reply; the first one counts.
 */
export class Outstanding {
  readonly #entries = new Map<number, Entry>();
  readonly #randomXid: () => number;

  /** `randomXid` gives unpredictable integers, 0 to 2^32-1. */
  constructor(randomXid: () => number) {
    this.#randomXid = randomXid;
  }

  /**
   * Starts waiting, and returns the xid to send. `answered` is called at most once. `elsewhere` gets to know who else sent a whole reply with
   * that xid, which does not count: most likely the peer, from another of its addresses.
   */
  add(peer: Peer, answered: (reply: RpcReply) => void, elsewhere?: (sender: Sender) => void): number {
    let xid = this.#randomXid();
    while (this.#entries.has(xid)) xid = this.#randomXid();
    this.#entries.set(xid, { peer, answered, elsewhere });
    return xid;
  }

  remove(xid: number): void {
    this.#entries.delete(xid);
  }

  /** Takes a datagram from the network. Never throws for what is in it; junk costs one look at its xid. */
  receive(datagram: Buffer, sender: Sender): void {
    const xid = peekXid(datagram);
    if (xid === undefined || datagram.length > maxReplyBytes) return;
    const entry = this.#entries.get(xid);
    if (entry === undefined) return;
    const reply = decodeOrNothing(datagram);
    if (reply === undefined) return;
    if (sender.address !== entry.peer.address || sender.port !== entry.peer.port) {
      entry.elsewhere?.(sender);
      return;
    }
    this.#entries.delete(xid);
    entry.answered(reply);
  }
}

function decodeOrNothing(datagram: Buffer): RpcReply | undefined {
  try {
    return decodeReply(datagram);
  } catch (error) {
    if (isMalformed(error)) return undefined;
    throw error;
  }
}
