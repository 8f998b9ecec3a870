import { hostname } from 'node:os';
import { messageTypes, type RpcCall } from '../../src/rpc/rpc-call.js';
import { XdrWriter } from '../../src/rpc/xdr.js';

const authSys = 1;

/**
 * The datagram of a call with AUTH_SYS, as root (RFC 5531 appendix A), as clients ask for locks: where the export has sec=sys, Linux
 * from 6.12 on refuses a request for a lock with AUTH_NONE (fs/nfsd/export.c, check_nfsd_access).
 */
export function encodeAuthSysCall(call: RpcCall): Buffer {
  const credential = new XdrWriter().uint32(0).opaque(hostname(), 255).uint32(0).uint32(0).uint32(0);
  return new XdrWriter()
    .uint32(call.xid)
    .uint32(messageTypes.call)
    .uint32(2)
    .uint32(call.program)
    .uint32(call.version)
    .uint32(call.procedure)
    .uint32(authSys)
    .opaque(credential.toBuffer(), 400)
    .uint32(0)
    .opaque('', 400)
    .encoded(call.args)
    .toBuffer();
}
