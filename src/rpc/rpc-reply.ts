import { authNone, maxAuthBytes, messageTypes } from './rpc-call.js';
import { malformed, XdrReader, XdrWriter } from './xdr.js';

const replyStats = { accepted: 0, denied: 1 } as const;
const acceptStats = [
  'SUCCESS',
  'PROG_UNAVAIL',
  'PROG_MISMATCH',
  'PROC_UNAVAIL',
  'GARBAGE_ARGS',
  'SYSTEM_ERR',
] as const;
const rejectStats = ['RPC_MISMATCH', 'AUTH_ERROR'] as const;

/** Why a call was not carried out: RFC 5531's `accept_stat` and `reject_stat` in its own words. */
export type Refusal = Exclude<(typeof acceptStats)[number], 'SUCCESS'> | (typeof rejectStats)[number];

/** One ONC-RPC reply (RFC 5531 section 9). Only SUCCESS carries results, as XDR. */
export type RpcReply =
  | { readonly xid: number; readonly status: 'SUCCESS'; readonly results: Uint8Array }
  | { readonly xid: number; readonly status: Refusal };

/** The xid that a datagram starts with, or undefined: enough to drop junk without decoding it. */
export function peekXid(datagram: Buffer): number | undefined {
  return datagram.length >= 4 ? datagram.readUInt32BE() : undefined;
}

/** The reply in a datagram; the results are not looked at. Throws XDR_MALFORMED. */
export function decodeReply(datagram: Uint8Array): RpcReply {
  const reader = new XdrReader(datagram);
  const xid = reader.uint32('xid');
  if (reader.uint32('message type') !== messageTypes.reply) throw malformed('not a reply');
  const replyStat = reader.uint32('reply_stat');
  if (replyStat === replyStats.denied) return { xid, status: decodeRejection(reader) };
  if (replyStat !== replyStats.accepted) throw malformed(`reply_stat ${replyStat}`);
  reader.uint32('verifier flavour');
  reader.opaque(maxAuthBytes, 'verifier');
  const number = reader.uint32('accept_stat');
  const status = acceptStats[number];
  if (status === undefined) throw malformed(`accept_stat ${number}`);
  if (status === 'SUCCESS') return { xid, status, results: reader.rest() };
  if (status === 'PROG_MISMATCH') skipVersionRange(reader);
  reader.end('the reply');
  return { xid, status };
}

/** The datagram of a reply, for whoever stands in for a client's rpcbind or statd. */
export function encodeReply(reply: RpcReply): Buffer {
  const writer = new XdrWriter().uint32(reply.xid).uint32(messageTypes.reply);
  if (reply.status === 'RPC_MISMATCH' || reply.status === 'AUTH_ERROR') {
    writer.uint32(replyStats.denied).uint32(rejectStats.indexOf(reply.status));
    return reply.status === 'RPC_MISMATCH'
      ? writer.uint32(2).uint32(2).toBuffer()
      : writer.uint32(1).toBuffer();
  }
  writer.uint32(replyStats.accepted).uint32(authNone).opaque('', maxAuthBytes);
  writer.uint32(acceptStats.indexOf(reply.status));
  if (reply.status === 'SUCCESS') writer.encoded(reply.results);
  if (reply.status === 'PROG_MISMATCH') writer.uint32(1).uint32(1);
  return writer.toBuffer();
}

function decodeRejection(reader: XdrReader): Refusal {
  const number = reader.uint32('reject_stat');
  const status = rejectStats[number];
  if (status === undefined) throw malformed(`reject_stat ${number}`);
  if (status === 'RPC_MISMATCH') skipVersionRange(reader);
  else reader.uint32('auth_stat');
  reader.end('the reply');
  return status;
}

function skipVersionRange(reader: XdrReader): void {
  reader.uint32('lowest version');
  reader.uint32('highest version');
}
