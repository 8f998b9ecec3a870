import { createSocket, type Socket } from 'node:dgram';
import { randomInt } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { encodeCall } from './rpc-call.js';
import { decodeReply } from './rpc-reply.js';
import { type Family, portAnswer, portQuestion, rpcbind, type Service } from './rpcbind-messages.js';
import { isMalformed } from './xdr.js';

export interface RpcbindLookup extends Service {
  /** Of the host that is asked, as text: 127.0.0.1, ::1. */
  readonly address: string;
  /** Default 111. */
  readonly port?: number | undefined;
  /** For everything together, in milliseconds. */
  readonly timeoutMs: number;
}

/** The question is sent this often within the time, should a datagram get lost. */
const tries = 3;

/**
 * Asks a host's rpcbind over UDP where a service is registered: for lockd, program 100021 (RFC 1813 appendix
 * II) with version 4, or 1 and 3. Returns its port; 0 if it is not registered; undefined if rpcbind does not
 * answer, which on this host is known at once (ECONNREFUSED) and otherwise after `timeoutMs`.
 */
export async function rpcbindLookup(lookup: RpcbindLookup): Promise<number | undefined> {
  const family: Family = isIPv6(lookup.address) ? 6 : 4;
  const xid = randomInt(2 ** 32);
  const question = encodeCall({ ...portQuestion(family, lookup), xid });
  const socket = createSocket({ type: family === 4 ? 'udp4' : 'udp6' });
  let resend: NodeJS.Timeout | undefined;
  let timeout: NodeJS.Timeout | undefined;
  try {
    return await new Promise<number | undefined>((resolve) => {
      const give = (): void => {
        resolve(undefined);
      };
      socket.on('error', give);
      socket.on('message', (datagram) => {
        const port = readAnswer(family, xid, datagram);
        if (port !== undefined) resolve(port);
      });
      socket.once('connect', () => {
        send(socket, question, give);
        resend = setInterval(send, lookup.timeoutMs / tries, socket, question, give);
      });
      // A connected socket takes datagrams from that address and port alone.
      socket.connect(lookup.port ?? rpcbind.port, lookup.address);
      timeout = setTimeout(give, lookup.timeoutMs);
    });
  } finally {
    clearInterval(resend);
    clearTimeout(timeout);
    socket.close();
  }
}

function send(socket: Socket, datagram: Buffer, failed: () => void): void {
  socket.send(datagram, (error) => {
    if (error !== null) failed();
  });
}

/** Undefined for whatever is not the answer, refusals included: whoever asks can only ask again. */
function readAnswer(family: Family, xid: number, datagram: Buffer): number | undefined {
  try {
    const reply = decodeReply(datagram);
    if (reply.xid !== xid || reply.status !== 'SUCCESS') return undefined;
    return portAnswer(family, reply.results);
  } catch (error) {
    if (isMalformed(error)) return undefined;
    throw error;
  }
}
