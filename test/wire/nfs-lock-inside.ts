// A client of NFSv3 without a kernel: asks a server for a lock, over UDP, in its own words (RFC 1813, its appendixes I and II).
// usage: node nfs-lock-inside.js SERVER handle PATH NAME     makes the file where it is not there; prints its handle, hexadecimal
//        node nfs-lock-inside.js SERVER lock|reclaim|unlock HANDLE OWNER     prints the status of the answer in a word
//        node nfs-lock-inside.js SERVER rival HANDLE OWNER     asks for the lock again and again, until its input ends; says every answer that is
//                                                             another than the one before, and gives back what it is granted
// The environment's SOURCE is the address it sends from; default: any.
import { once } from 'node:events';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { openSourceSocket } from '../../src/nsm/notify/source-socket.js';
import { decodeReply } from '../../src/rpc/rpc-reply.js';
import { rpcbindLookup } from '../../src/rpc/rpcbind.js';
import { XdrReader, XdrWriter } from '../../src/rpc/xdr.js';
import { encodeAuthSysCall } from '../helpers/auth-sys-call.js';
import { nlmStatus } from '../helpers/nlm-status.js';

const [server = '', asked = '', ...words] = process.argv.slice(2);
const nfs = { program: 100_003, version: 3 };
const mount = { program: 100_005, version: 3 };
const nlm = { program: 100_021, version: 4 };
/** So many times a second is enough for who is always there, and leaves the machine to the others. */
const pauseMs = 50;
const { socket } = await openSourceSocket(4, process.env['SOURCE'] ?? '0.0.0.0');

async function call(service: typeof nfs, procedure: number, args: Buffer): Promise<XdrReader> {
  const port = await rpcbindLookup({ ...service, protocol: 'udp', address: server, timeoutMs: 2000 });
  if (!port) throw new Error(`program ${service.program} is not there`);
  const xid = Math.floor(Math.random() * 2 ** 32);
  const datagram = encodeAuthSysCall({ ...service, procedure, args, xid });
  const answered = once(socket, 'message', { signal: AbortSignal.timeout(10_000) });
  socket.send(datagram, port, server, () => undefined);
  const [answer] = (await answered) as [Buffer];
  const reply = decodeReply(answer);
  if (reply.xid !== xid) throw new Error('an answer to something else');
  if (reply.status !== 'SUCCESS') throw new Error(`refused: ${reply.status}`);
  return new XdrReader(reply.results);
}

async function handleOf(directory: string, name: string): Promise<string> {
  const mounted = await call(mount, 1, new XdrWriter().opaque(directory, 1024).toBuffer());
  const refusal = mounted.uint32('mountstat3');
  if (refusal !== 0) throw new Error(`MNT: ${refusal}`);
  const root = mounted.opaque(64, 'fhandle3');
  const entry = new XdrWriter().opaque(root, 64).opaque(name, 255);
  // CREATE, unchecked; of the attributes the mode alone is set.
  const attributes = new XdrWriter().uint32(1).uint32(0o666);
  for (let unset = 0; unset < 5; unset += 1) attributes.uint32(0);
  await call(nfs, 8, entry.uint32(0).encoded(attributes.toBuffer()).toBuffer());
  const found = await call(nfs, 3, new XdrWriter().opaque(root, 64).opaque(name, 255).toBuffer());
  const status = found.uint32('nfsstat3');
  if (status !== 0) throw new Error(`LOOKUP: ${status}`);
  return Buffer.from(found.opaque(64, 'nfs_fh3')).toString('hex');
}

async function lock(what: string, handle: string, owner: string): Promise<string> {
  const args = new XdrWriter().opaque('a cookie', 1024);
  if (what !== 'unlock') args.uint32(0).uint32(1); // does not block; exclusive
  args.opaque(hostname(), 1024).opaque(Buffer.from(handle, 'hex'), 1024).opaque(owner, 1024).int32(1);
  args.encoded(Buffer.alloc(16)); // from the first byte to the end of the file
  if (what !== 'unlock') args.uint32(what === 'reclaim' ? 1 : 0).int32(0);
  const results = await call(nlm, what === 'unlock' ? 4 : 2, args.toBuffer());
  results.opaque(1024, 'cookie');
  const status = results.uint32('stat');
  return nlmStatus(status);
}

/** Until the input ends. A server that does not answer is one of the answers. */
async function rival(handle: string, owner: string): Promise<void> {
  const over = new AbortController();
  process.stdin.once('end', () => over.abort()).resume();
  let before = '';
  while (!over.signal.aborted) {
    const said = await lock('lock', handle, owner).catch(() => 'no answer');
    if (said !== before) process.stdout.write(`${said}\n`);
    before = said;
    if (said === 'granted') await lock('unlock', handle, owner).catch(() => undefined);
    await setTimeout(pauseMs);
  }
}

const [first = '', second = ''] = words;
if (asked === 'rival') await rival(first, second);
else
  process.stdout.write(
    `${asked === 'handle' ? await handleOf(first, second) : await lock(asked, first, second)}\n`,
  );
socket.close();
