import { malformed, XdrReader, XdrWriter } from './xdr.js';

/** One ONC-RPC version 2 call (RFC 5531 section 9), always with AUTH_NONE when we send it. */
export interface RpcCall {
  /** 0 to 2^32-1; the reply repeats it. */
  readonly xid: number;
  readonly program: number;
  readonly version: number;
  readonly procedure: number;
  /** The procedure's arguments, as XDR. */
  readonly args: Uint8Array;
}

export const messageTypes = { call: 0, reply: 1 } as const;
const rpcVersion = 2;
export const authNone = 0;
/** RFC 5531 section 8.2: `opaque body<400>`. */
export const maxAuthBytes = 400;

/** The datagram of a call. NSM and rpcbind need no credentials; statd does not look at them. */
export function encodeCall(call: RpcCall): Buffer {
  return new XdrWriter()
    .uint32(call.xid)
    .uint32(messageTypes.call)
    .uint32(rpcVersion)
    .uint32(call.program)
    .uint32(call.version)
    .uint32(call.procedure)
    .uint32(authNone)
    .opaque('', maxAuthBytes)
    .uint32(authNone)
    .opaque('', maxAuthBytes)
    .encoded(call.args)
    .toBuffer();
}

/** The call in a datagram, credentials of any flavour skipped. Throws XDR_MALFORMED. */
export function decodeCall(datagram: Uint8Array): RpcCall {
  const reader = new XdrReader(datagram);
  const xid = reader.uint32('xid');
  if (reader.uint32('message type') !== messageTypes.call) throw malformed('not a call');
  if (reader.uint32('RPC version') !== rpcVersion) throw malformed('not RPC version 2');
  const program = reader.uint32('program');
  const version = reader.uint32('version');
  const procedure = reader.uint32('procedure');
  reader.uint32('credential flavour');
  reader.opaque(maxAuthBytes, 'credential');
  reader.uint32('verifier flavour');
  reader.opaque(maxAuthBytes, 'verifier');
  return { xid, program, version, procedure, args: reader.rest() };
}
