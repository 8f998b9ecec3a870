import { randomInt } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer, isIPv6, type Server } from 'node:net';
import { asRecord, messageOf } from '../../../src/rpc/record-marking.js';
import { decodeCall, type RpcCall } from '../../../src/rpc/rpc-call.js';
import { encodeReply, type Refusal } from '../../../src/rpc/rpc-reply.js';
import { encodePortAnswer, rpcbind } from '../../../src/rpc/rpcbind-messages.js';
import { decodeStateChange, nsm, type StateChange } from '../../../src/nsm/notify/sm-notify.js';

/** A call that reached a fake client. */
export interface Incoming {
  readonly call: RpcCall;
  /** 1 for the first call of that program to this client. */
  readonly turn: number;
  readonly from: RemoteInfo;
  readonly client: FakeClient;
}

/** What a fake service does with a call: the datagrams that it sends back. */
export type Behaviour = (incoming: Incoming) => Uint8Array[];

export interface Script {
  /** Default: `registered`. */
  readonly rpcbind?: Behaviour;
  /** Default: `accept`. */
  readonly statd?: Behaviour;
  /** Serve statd from rpcbind's own socket, to have thousands of clients. */
  readonly oneSocket?: boolean;
  /** The same over TCP; default: nobody listens there. */
  readonly overTcp?: { readonly rpcbind?: Behaviour; readonly statd?: Behaviour };
}

/** The client's own statd port, in the protocol of its family. */
export const registered: Behaviour = (incoming) => registeredAt(incoming.client.statdPort)(incoming);

export function registeredAt(port: number): Behaviour {
  return ({ call, client }) => [
    encodeReply({
      xid: call.xid,
      status: 'SUCCESS',
      results: encodePortAnswer(client.family, client.address, port),
    }),
  ];
}

/** PMAP_GETPORT's arguments: program, version, protocol, port (RFC 1833 section 3.1). */
export function isAskedForTcp(call: RpcCall): boolean {
  return Buffer.from(call.args).readUInt32BE(8) === 6;
}

/** A statd that is registered for TCP alone. */
export const forTcpOnly: Behaviour = (incoming) =>
  registeredAt(isAskedForTcp(incoming.call) ? incoming.client.tcpStatdPort : 0)(incoming);

/** And one that is for UDP alone. */
export const forUdpOnly: Behaviour = (incoming) =>
  registeredAt(isAskedForTcp(incoming.call) ? 0 : incoming.client.statdPort)(incoming);

export const unregistered: Behaviour = registeredAt(0);
export const silent: Behaviour = () => [];
export const accept: Behaviour = ({ call }) => [accepted(call)];

/** The datagram with which a statd accepts a call. */
export function accepted(call: RpcCall): Buffer {
  return encodeReply({ xid: call.xid, status: 'SUCCESS', results: new Uint8Array() });
}

export function refuse(status: Refusal): Behaviour {
  return ({ call }) => [encodeReply({ xid: call.xid, status })];
}

/** One behaviour for the first `turns` calls, then another. */
export function atFirst(turns: number, first: Behaviour, then: Behaviour): Behaviour {
  return (incoming) => (incoming.turn <= turns ? first : then)(incoming);
}

/** One NFS client as the notifier sees it: an rpcbind and a statd on one address. */
export class FakeClient {
  readonly address: string;
  readonly family: 4 | 6;
  /** Every SM_NOTIFY that arrived, answered or not. */
  readonly heard: (StateChange & { readonly from: RemoteInfo })[] = [];
  /** The source of each SM_NOTIFY that came over TCP. */
  readonly connected: string[] = [];
  /** How often rpcbind was asked over TCP. */
  askedOverTcp = 0;
  tcpStatdPort = 0;
  readonly #servers: Server[] = [];
  /** How often rpcbind was asked. */
  asked = 0;
  rpcbindPort = 0;
  statdPort = 0;
  #script: Script;
  readonly #sockets: Socket[] = [];
  #notified = 0;
  readonly #watchers = new Set<() => void>();

  constructor(address: string, script: Script) {
    this.address = address;
    this.family = isIPv6(address) ? 6 : 4;
    this.#script = script;
  }

  async open(rpcbindPort: number): Promise<void> {
    this.rpcbindPort = await this.#listen(rpcbindPort);
    this.statdPort = this.#script.oneSocket === true ? rpcbindPort : await this.#listen(0);
    const { overTcp } = this.#script;
    if (overTcp?.rpcbind !== undefined) await this.#serve(rpcbindPort);
    if (overTcp?.statd !== undefined) this.tcpStatdPort = await this.#serve(0);
  }

  /** Resolves when `what` is true of this client, looked at after each call that reaches it. */
  until(what: (client: this) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!what(this)) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** Moves statd to another port and gives it another behaviour, as a restart of the client does. */
  async moveStatd(statd: Behaviour): Promise<void> {
    this.#sockets.pop()?.close();
    this.#script = { ...this.#script, statd };
    this.statdPort = await this.#listen(0);
  }

  /** Sends from statd's port, whenever. */
  send(datagrams: Uint8Array[], to: RemoteInfo): void {
    for (const datagram of datagrams) this.#sockets.at(-1)?.send(datagram, to.port, to.address);
  }

  async #listen(port: number): Promise<number> {
    const socket = await boundSocket(this.address, port);
    this.#sockets.push(socket);
    socket.on('message', (datagram, from) => {
      const replies = this.#answer(decodeCall(datagram), from);
      for (const reply of replies) socket.send(reply, from.port, from.address);
      for (const look of this.#watchers) look();
    });
    return socket.address().port;
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
    for (const server of this.#servers.splice(0)) server.close();
  }

  #serve(port: number): Promise<number> {
    const server = createServer((socket) => {
      let received = Buffer.alloc(0);
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        received = Buffer.concat([received, bytes]);
        const message = messageOf(received);
        if (message === undefined) return;
        const { remoteAddress = '', remotePort = 0 } = socket;
        const from = { address: remoteAddress, family: 'IPv4' as const, port: remotePort, size: 0 };
        for (const reply of this.#answerOverTcp(decodeCall(message), from))
          socket.write(asRecord(Buffer.from(reply)));
        for (const look of this.#watchers) look();
      });
    });
    this.#servers.push(server);
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, this.address, () => {
        const at = server.address();
        resolve(typeof at === 'object' && at !== null ? at.port : 0);
      });
    });
  }

  #answerOverTcp(call: RpcCall, from: RemoteInfo): Uint8Array[] {
    const { rpcbind: answerPort = silent, statd = silent } = this.#script.overTcp ?? {};
    if (call.program === rpcbind.program) {
      this.askedOverTcp += 1;
      return answerPort({ call, turn: this.askedOverTcp, from, client: this });
    }
    this.heard.push({ ...decodeStateChange(call.args), from });
    this.connected.push(from.address);
    return statd({ call, turn: this.connected.length, from, client: this });
  }

  #answer(call: RpcCall, from: RemoteInfo): Uint8Array[] {
    const { rpcbind: answerPort = registered, statd = accept } = this.#script;
    if (call.program === rpcbind.program) {
      this.asked += 1;
      return answerPort({ call, turn: this.asked, from, client: this });
    }
    if (call.program !== nsm.program || call.procedure !== nsm.procedures.notify) return [];
    this.heard.push({ ...decodeStateChange(call.args), from });
    this.#notified += 1;
    return statd({ call, turn: this.#notified, from, client: this });
  }
}

/** Below the ports that the kernel gives out (ip_local_port_range), and another for each farm of a process. */
let nextPort = randomInt(10_000, 30_000);

/** Many fake clients, all with rpcbind on one port, which needs no privilege unless it is given. */
export class Farm {
  readonly rpcbindPort: number;
  readonly clients: FakeClient[] = [];
  readonly #strangers: Socket[] = [];

  constructor(rpcbindPort?: number) {
    this.rpcbindPort = rpcbindPort ?? nextPort++;
  }

  async client(address: string, script: Script = {}): Promise<FakeClient> {
    const client = new FakeClient(address, script);
    this.clients.push(client);
    await client.open(this.rpcbindPort);
    return client;
  }

  /** `count` clients that behave, from 127.1.0.1 on. */
  async crowd(count: number, script: (index: number) => Script | undefined = () => ({})): Promise<string[]> {
    const addresses: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const address = `127.1.${(index >> 8) + 1}.${index & 255}`;
      addresses.push(address);
      const behaviour = script(index);
      if (behaviour !== undefined) await this.client(address, { oneSocket: true, ...behaviour });
    }
    return addresses;
  }

  /** A socket from which somebody else meddles. */
  async stranger(address: string): Promise<Socket> {
    const socket = await boundSocket(address, 0);
    this.#strangers.push(socket);
    return socket;
  }

  close(): void {
    for (const client of this.clients) client.close();
    for (const socket of this.#strangers) socket.close();
  }
}

function boundSocket(address: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4' });
    socket.once('error', reject);
    socket.bind(port, address, () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}
