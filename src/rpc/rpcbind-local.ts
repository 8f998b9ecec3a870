import { randomInt } from 'node:crypto';
import { connect } from 'node:net';
import { asRecord, messageOf } from './record-marking.js';
import { encodeCall } from './rpc-call.js';
import { decodeReply } from './rpc-reply.js';
import { type Registration, registrationsIn, registrationsQuestion } from './rpcbind-messages.js';
import { isMalformed } from './xdr.js';

/** That of this host (libtirpc, rpcb_prot.h, _PATH_RPCBINDSOCK). */
export const rpcbindSocket = '/run/rpcbind.sock';
/** A few hundred registrations, and what else anybody on this host may have added; whoever sends more is no rpcbind. */
const longestReply = 16 << 20;

/**
 * What is registered with the rpcbind behind a local socket, such as /run/rpcbind.sock: also with one
 * of another network namespace, as far as its socket can be seen. Undefined where none answers within `timeoutMs`.
 */
export function registrations(
  socketPath: string,
  timeoutMs: number,
): Promise<readonly Registration[] | undefined> {
  const xid = randomInt(2 ** 32);
  const socket = connect(socketPath);
  return new Promise<readonly Registration[] | undefined>((resolve) => {
    const give = (): void => resolve(undefined);
    const timer = setTimeout(give, timeoutMs);
    let received = Buffer.alloc(0);
    socket.once('error', give);
    socket.once('close', () => {
      clearTimeout(timer);
      give();
    });
    socket.once('connect', () => socket.write(asRecord(encodeCall({ ...registrationsQuestion, xid }))));
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      const message = messageOf(received);
      if (message !== undefined) resolve(readAnswer(xid, message));
      else if (received.length > longestReply) give();
    });
  }).finally(() => socket.destroy());
}

/** The same, the programs alone. */
export async function registeredPrograms(
  socketPath: string,
  timeoutMs: number,
): Promise<ReadonlySet<number> | undefined> {
  const found = await registrations(socketPath, timeoutMs);
  return found === undefined ? undefined : new Set(found.map(({ program }) => program));
}

function readAnswer(xid: number, message: Buffer): Registration[] | undefined {
  try {
    const reply = decodeReply(message);
    return reply.xid === xid && reply.status === 'SUCCESS' ? registrationsIn(reply.results) : undefined;
  } catch (error) {
    if (isMalformed(error)) return undefined;
    throw error;
  }
}
