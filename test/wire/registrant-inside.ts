// A program that has registered itself with rpcbind for another one's number, listens there, and says "registered".
// usage: node registrant-inside.js PROGRAM VERSION udp|tcp
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { openSourceSocket } from '../../src/nsm/notify/source-socket.js';
import { XdrWriter } from '../../src/rpc/xdr.js';

const [program = '', version = '', protocol = ''] = process.argv.slice(2);
const { socket } = await openSourceSocket(4, '127.0.0.1');
let { port } = socket.address();
if (protocol === 'tcp') {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
}
// A call of PMAPPROC_SET (RFC 1833 section 3.2): xid, CALL, RPC 2, portmap 2, procedure 1, no credentials.
const call = new XdrWriter();
for (const word of [1, 0, 2, 100_000, 2, 1, 0, 0, 0, 0]) call.uint32(word);
for (const word of [Number(program), Number(version), protocol === 'tcp' ? 6 : 17, port]) call.uint32(word);
socket.send(call.toBuffer(), 111, '127.0.0.1');
const [answer] = (await once(socket, 'message')) as [Buffer];
if (answer.readUInt32BE(answer.length - 4) !== 1) throw new Error('rpcbind has refused');
process.stdout.write('registered\n');
