import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

const portmapper = 100000;

export interface LoopbackClient {
  readonly address: string;
  /** Answers on this UDP port as the client's rpcbind and as its statd. */
  readonly port: number;
  close(): void;
}

/**
 * An NFS client's answers to SM_NOTIFY, on loopback: PMAP_GETPORT (RFC 1833) and SM_NOTIFY (X/Open
 * XNFS chapter 11) on one UDP socket. `notified` is called with each mon_name, state and sender.
 */
export async function startLoopbackClient(
  address: string,
  port: number,
  notified: (monName: string, state: number, source: string) => void,
): Promise<LoopbackClient> {
  const socket: Socket = createSocket('udp4');
  socket.on('message', (call, from) => {
    if (call.length < 40) return;
    const program = call.readUInt32BE(12);
    if (program !== portmapper) {
      const length = call.readUInt32BE(40);
      const monName = call.toString('utf8', 44, 44 + length);
      notified(monName, call.readInt32BE(44 + Math.ceil(length / 4) * 4), from.address);
    }
    // MSG_ACCEPTED, SUCCESS (RFC 5531), then the port, or nothing.
    const reply = Buffer.alloc(program === portmapper ? 28 : 24);
    reply.writeUInt32BE(call.readUInt32BE(0), 0);
    reply.writeUInt32BE(1, 4);
    if (program === portmapper) reply.writeUInt32BE(socket.address().port, 24);
    socket.send(reply, from.port, from.address);
  });
  socket.bind(port, address);
  await once(socket, 'listening');
  return { address, port: socket.address().port, close: () => socket.close() };
}
