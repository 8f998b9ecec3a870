// Asking an rpcbind on a local socket: what it may answer, in whatever pieces.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { registeredPrograms } from '../../src/rpc/rpcbind-local.js';
import { decodeCall } from '../../src/rpc/rpc-call.js';
import { encodeReply, type RpcReply } from '../../src/rpc/rpc-reply.js';
import { XdrWriter } from '../../src/rpc/xdr.js';

function list(...programs: number[]): Buffer {
  const writer = new XdrWriter();
  for (const program of programs) {
    writer
      .uint32(1)
      .uint32(program)
      .uint32(4)
      .opaque('udp', 99)
      .opaque('0.0.0.0.0.111', 99)
      .opaque('superuser', 99);
  }
  return writer.uint32(0).toBuffer();
}

function fragment(bytes: Uint8Array, last: boolean): Buffer {
  const mark = Buffer.alloc(4);
  mark.writeUInt32BE(((last ? 0x8000_0000 : 0) | bytes.length) >>> 0);
  return Buffer.concat([mark, bytes]);
}

/** A rpcbind that answers each call as `answer` says. */
async function rpcbind(t: ExecutionContext, answer: (xid: number, socket: Socket) => void): Promise<string> {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-rpcbind-'));
  const file = path.join(directory, 'rpcbind.sock');
  const server = createServer((socket) => {
    socket.once('data', (bytes) => {
      const call = decodeCall(bytes.subarray(4));
      t.like(call, { program: 100000, version: 3, procedure: 4 });
      answer(call.xid, socket);
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(file, resolve));
  t.teardown(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  return file;
}

const found = (xid: number): RpcReply => ({ xid, status: 'SUCCESS', results: list(100000, 100021) });

test('each program once, the reply in two fragments and many pieces', async (t) => {
  const file = await rpcbind(t, (xid, socket) => {
    const reply = encodeReply(found(xid));
    const stream = Buffer.concat([
      fragment(reply.subarray(0, 30), false),
      fragment(reply.subarray(30), true),
    ]);
    let at = 0;
    const next = (): void => {
      if (at < stream.length) socket.write(stream.subarray(at, (at += 7)), next);
    };
    next();
  });
  t.deepEqual([...((await registeredPrograms(file, 20_000)) ?? [])], [100000, 100021]);
});

for (const [what, answer] of [
  ['another xid', (xid: number) => encodeReply(found(xid + 1))],
  ['a refusal', (xid: number) => encodeReply({ xid, status: 'PROG_UNAVAIL' })],
  ['a list cut short', (xid: number) => encodeReply(found(xid)).subarray(0, -4)],
  ['junk', () => Buffer.from('no rpc at all')],
] as const) {
  test(`${what} is no answer`, async (t) => {
    const file = await rpcbind(t, (xid, socket) => void socket.end(fragment(answer(xid), true)));
    t.is(await registeredPrograms(file, 20_000), undefined);
  });
}

test('a silent one, a hang-up, none at all', async (t) => {
  t.is(await registeredPrograms(await rpcbind(t, () => undefined), 50), undefined);
  t.is(await registeredPrograms(await rpcbind(t, (_, socket) => void socket.destroy()), 20_000), undefined);
  t.is(await registeredPrograms('/nowhere/rpcbind.sock', 20_000), undefined);
});
