import { randomInt } from 'node:crypto';
import { connect } from 'node:net';
import { errnoOf, messageOf as textOf } from '../errors.js';
import { asRecord, messageOf } from './record-marking.js';
import { encodeCall, type RpcCall } from './rpc-call.js';
import { decodeReply, type RpcReply } from './rpc-reply.js';
import { isMalformed } from './xdr.js';

export interface StreamCall {
  readonly address: string;
  readonly port: number;
  /** The address to call from; undefined: the kernel chooses. */
  readonly localAddress?: string | undefined;
  readonly call: Omit<RpcCall, 'xid'>;
  /** For everything together, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends it at once. */
  readonly signal: AbortSignal;
}

/** How it ended; `unsent` with the errno of the connection. */
export type StreamAnswer =
  | { readonly kind: 'reply'; readonly reply: RpcReply }
  | { readonly kind: 'silence' }
  | { readonly kind: 'unsent'; readonly errno: string }
  | { readonly kind: 'dropped' };

/** Replies of rpcbind and statd have under 300 bytes; whoever sends more is neither. */
const longestReply = 1024;

/** One ONC-RPC call over a TCP connection of its own (RFC 5531). Never rejects. */
export function callOverTcp(options: StreamCall): Promise<StreamAnswer> {
  const { address, port, localAddress, call, timeoutMs, signal } = options;
  if (signal.aborted) return Promise.resolve({ kind: 'dropped' });
  const xid = randomInt(2 ** 32);
  const socket = connect({ host: address, port, ...(localAddress === undefined ? {} : { localAddress }) });
  return new Promise<StreamAnswer>((resolve) => {
    const drop = (): void => resolve({ kind: 'dropped' });
    const silence = (): void => resolve({ kind: 'silence' });
    const timer = setTimeout(silence, timeoutMs);
    let received = Buffer.alloc(0);
    signal.addEventListener('abort', drop, { once: true });
    socket.once('error', (error) => resolve({ kind: 'unsent', errno: errnoOf(error) ?? textOf(error) }));
    socket.once('close', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', drop);
      silence();
    });
    socket.once('connect', () => socket.write(asRecord(encodeCall({ ...call, xid }))));
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      const reply = replyIn(received, xid);
      if (reply !== undefined) resolve({ kind: 'reply', reply });
      else if (received.length > longestReply) silence();
    });
  }).finally(() => socket.destroy());
}

function replyIn(received: Buffer, xid: number): RpcReply | undefined {
  const message = messageOf(received);
  if (message === undefined) return undefined;
  try {
    const reply = decodeReply(message);
    return reply.xid === xid ? reply : undefined;
  } catch (error) {
    if (isMalformed(error)) return undefined;
    throw error;
  }
}
