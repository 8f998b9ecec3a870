import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { encodeCall } from '../../src/rpc/rpc-call.js';
import { decodeReply } from '../../src/rpc/rpc-reply.js';
import { nsm } from '../../src/nsm/notify/sm-notify.js';
import { openSourceSocket } from '../../src/nsm/notify/source-socket.js';
import { XdrReader, XdrWriter } from '../../src/rpc/xdr.js';

/** lockd's call to its statd on this host (nfs-utils sm_inter.x, struct mon). */
export interface SmMon {
  readonly procedure: 'mon' | 'unmon';
  /** The client that is, or no longer is, to be watched; one character a byte (latin1). */
  readonly monName: string;
  readonly myName: string;
  /** Default: what lockd says. */
  readonly program?: number;
}

/** statd's answer to SM_MON (struct sm_stat_res; res_stat 0 is STAT_SUCC) or SM_UNMON (struct sm_stat). */
export interface SmMonResult {
  /** Undefined for SM_UNMON. */
  readonly failed: boolean | undefined;
  /** statd's own NSM state. */
  readonly state: number;
}

/** NLM_SM_NOTIFY, and where it is called: Linux fs/lockd/mon.c, nsm_mon_unmon. */
const callback = { program: 100021, version: 3, procedure: 16 } as const;
const longest = 100_000;

/** Calls the statd at `port` on this host, as lockd does it: from the loopback, with a privileged port. */
export async function callStatd(port: number, request: SmMon, source = '127.0.0.1'): Promise<SmMonResult> {
  const args = new XdrWriter()
    .opaque(Buffer.from(request.monName, 'latin1'), longest)
    .opaque(request.myName, longest)
    .uint32(request.program ?? callback.program)
    .uint32(callback.version)
    .uint32(callback.procedure);
  // The cookie by which lockd knows the client again: another one each time is lockd started anew.
  if (request.procedure === 'mon') args.encoded(randomBytes(16));
  const { socket } = await openSourceSocket(4, source);
  try {
    const reply = once(socket, 'message', { signal: AbortSignal.timeout(10_000) });
    const procedure = nsm.procedures[request.procedure];
    const call = { xid: 1, program: nsm.program, version: nsm.version, procedure, args: args.toBuffer() };
    socket.send(encodeCall(call), port, '127.0.0.1');
    const [datagram] = (await reply) as [Buffer];
    const decoded = decodeReply(datagram);
    if (decoded.status !== 'SUCCESS') throw new Error(`statd refused: ${decoded.status}`);
    const results = new XdrReader(decoded.results);
    const failed = request.procedure === 'mon' ? results.uint32('res_stat') !== 0 : undefined;
    return { failed, state: results.int32('state') };
  } finally {
    socket.close();
  }
}
