// A program that has registered statd's number with rpcbind, as NFS-Ganesha of 2026 does where it is its own statd.
// usage: ganesha.nfsd own-statd-inside.js     a link of that name to node; says "registered"
import { once } from 'node:events';
import { XdrWriter } from '../../src/rpc/xdr.js';
import { openSourceSocket } from '../../src/nsm/notify/source-socket.js';

const { socket } = await openSourceSocket(4, '127.0.0.1');
const { port } = socket.address();
const udp = 17;
// A call of PMAPPROC_SET (RFC 1833 section 3.2): xid, CALL, RPC 2, portmap 2, procedure 1, no credentials.
const call = new XdrWriter();
for (const word of [1, 0, 2, 100_000, 2, 1, 0, 0, 0, 0, 100_024, 1, udp, port]) call.uint32(word);
socket.send(call.toBuffer(), 111, '127.0.0.1');
const [answer] = (await once(socket, 'message')) as [Buffer];
if (answer.readUInt32BE(answer.length - 4) !== 1) throw new Error('rpcbind has refused');
process.stdout.write('registered\n');
