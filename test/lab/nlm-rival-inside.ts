// Runs in an NFS client: asks lockd itself for locks, over the wire, again and again. A client's kernel would wait up to 5 s
// after each refusal in grace (Linux fs/lockd/clntproc.c, nlm_wait_on_grace); this asks every 20 ms, so it misses no gap.
// usage: node nlm-rival-inside.js STOP-FILE ADDRESS NAME=FILE-HANDLE... (hexadecimal)
// prints: "MS NAME STATUS" (ms since 1970) where a status differs from the one before, and "tries NAME COUNT" at the end.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { openSourceSocket } from '../../src/nsm/notify/source-socket.js';
import { decodeReply } from '../../src/rpc/rpc-reply.js';
import { rpcbindLookup } from '../../src/rpc/rpcbind.js';
import { XdrReader, XdrWriter } from '../../src/rpc/xdr.js';
import { encodeAuthSysCall } from '../helpers/auth-sys-call.js';
import { nlmStatus } from '../helpers/nlm-status.js';

/** RFC 1813 appendix II. */
const nlm = { program: 100021, version: 4, procedures: { lock: 2, unlock: 4 } } as const;
const [stopFile = '', address = '', ...targets] = process.argv.slice(2);
const answerMs = 200;

const { socket } = await openSourceSocket(4, '0.0.0.0');
let port: number | undefined;
let xid = 0;

/** One call; the name of its status, or "silence". */
async function call(procedure: 'lock' | 'unlock', handle: string): Promise<string> {
  port ||= await rpcbindLookup({ ...nlm, protocol: 'udp', address, timeoutMs: answerMs });
  if (!port) return 'silence';
  xid += 1;
  const args = new XdrWriter().opaque('eight by', 1024);
  if (procedure === 'lock') args.uint32(0).uint32(1); // does not block; exclusive
  args.opaque(hostname(), 1024).opaque(Buffer.from(handle, 'hex'), 1024).opaque('rival', 1024).int32(1);
  args.encoded(Buffer.alloc(16)); // from the first byte to the end of the file
  if (procedure === 'lock') args.uint32(0).int32(0); // no reclaim
  const datagram = encodeAuthSysCall({
    ...nlm,
    procedure: nlm.procedures[procedure],
    args: args.toBuffer(),
    xid,
  });
  const end = AbortSignal.timeout(answerMs);
  socket.send(datagram, port, address, () => undefined);
  try {
    for (;;) {
      const [answer] = (await once(socket, 'message', { signal: end })) as [Buffer];
      const reply = decodeReply(answer);
      if (reply.xid !== xid) continue;
      if (reply.status !== 'SUCCESS') return reply.status;
      const results = new XdrReader(reply.results);
      results.opaque(1024, 'cookie');
      return nlmStatus(results.uint32('stat'));
    }
  } catch (error) {
    if (!end.aborted) throw error;
    // lockd of another server has another port.
    port = undefined;
    return 'silence';
  }
}

const last = new Map<string, string>();
const tries = new Map<string, number>();
console.log('ready');
while (!existsSync(stopFile)) {
  for (const target of targets) {
    const [name = '', handle = ''] = target.split('=');
    const status = await call('lock', handle);
    if (status === 'granted') while ((await call('unlock', handle)) === 'silence');
    if (last.get(name) !== status) console.log(`${Date.now()} ${name} ${status}`);
    last.set(name, status);
    tries.set(name, (tries.get(name) ?? 0) + 1);
  }
  await pause(20);
}
for (const [name, count] of tries) console.log(`tries ${name} ${count}`);
socket.close();
