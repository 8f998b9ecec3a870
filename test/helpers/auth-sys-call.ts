import { hostname } from 'node:os';
import { encodeCall, maxAuthBytes, type RpcCall } from '../../src/rpc/rpc-call.js';
import { XdrWriter } from '../../src/rpc/xdr.js';

const authSys = 1;
/** After six words (RFC 5531 section 9); that of AUTH_NONE has two. */
const credentialAt = 24;

/**
 * The datagram of a call with AUTH_SYS, as root (RFC 5531 appendix A), as clients ask for locks: where the export has sec=sys, Linux
 * from 6.12 on refuses a request for a lock with AUTH_NONE (fs/nfsd/export.c, check_nfsd_access).
 */
export function encodeAuthSysCall(call: RpcCall): Buffer {
  const plain = encodeCall(call);
  const credential = new XdrWriter().uint32(0).opaque(hostname(), 255).uint32(0).uint32(0).uint32(0);
  return new XdrWriter()
    .encoded(plain.subarray(0, credentialAt))
    .uint32(authSys)
    .opaque(credential.toBuffer(), maxAuthBytes)
    .encoded(plain.subarray(credentialAt + 8))
    .toBuffer();
}
