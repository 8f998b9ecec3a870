// Usage: node registered-inside.js as-seen | register PROGRAM VERSION PORT root|anybody
// as-seen: whether this host's lock manager is registered, and where it listens; prints JSON. register: as a program of root, or of anybody else, does it.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { openHost } from '../../src/cli/open-host.js';
import { lockPorts } from '../../src/ctdb/refusal.js';
import { nlmProgram } from '../../src/host/reading/nfsd.js';
import { realHost } from '../../src/host/real.js';
import { openSourceSocket } from '../../src/nsm/notify/source-socket.js';
import { XdrWriter } from '../../src/rpc/xdr.js';

async function socketOf(who: string) {
  // rpcbind takes who sends from a reserved port for root.
  if (who === 'root') return (await openSourceSocket(4, '127.0.0.1')).socket;
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

const [what, program, version, port, who = ''] = process.argv.slice(2);
if (what === 'as-seen') {
  const { nlmRegistered } = await openHost();
  const seen = { isRegistered: await nlmRegistered(nlmProgram), ports: await lockPorts(realHost) };
  process.stdout.write(JSON.stringify(seen));
} else {
  const socket = await socketOf(who);
  // A call of PMAPPROC_SET (RFC 1833 section 3.2), TCP: xid, CALL, RPC 2, portmap 2, procedure 1, no credentials.
  const call = new XdrWriter();
  for (const word of [1, 0, 2, 100_000, 2, 1, 0, 0, 0, 0, Number(program), Number(version), 6, Number(port)])
    call.uint32(word);
  socket.send(call.toBuffer(), 111, '127.0.0.1');
  const [answer] = (await once(socket, 'message')) as [Buffer];
  socket.close();
  if (answer.readUInt32BE(answer.length - 4) !== 1) throw new Error('rpcbind has refused');
}
