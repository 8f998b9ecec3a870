import test, { type ExecutionContext } from 'ava';
import { rpcbindLookup } from '../../src/rpc/rpcbind.js';
import { encodeReply } from '../../src/rpc/rpc-reply.js';
import { nsm } from '../../src/nsm/notify/sm-notify.js';
import {
  accepted,
  atFirst,
  Farm,
  refuse,
  registered,
  type Script,
  silent,
  unregistered,
} from '../nsm/notify/farm.js';

const statd = { program: nsm.program, version: nsm.version, protocol: 'udp' } as const;

async function look(
  t: ExecutionContext,
  address: string,
  script: Script,
  timeoutMs: number,
): Promise<unknown[]> {
  const farm = new Farm();
  t.teardown(() => {
    farm.close();
  });
  const client = await farm.client(address, script);
  return [await rpcbindLookup({ address, port: farm.rpcbindPort, ...statd, timeoutMs }), client.statdPort];
}

for (const address of ['127.0.0.1', '::1']) {
  test(`${address}: the port`, async (t) => {
    const [found, right] = await look(t, address, {}, 20_000);
    t.is(found, right);
  });
  test(`${address}: not registered is 0`, async (t) => {
    t.is((await look(t, address, { rpcbind: unregistered }, 20_000))[0], 0);
  });
}

test('a lost datagram is sent again, junk is passed over', async (t) => {
  const [found, right] = await look(t, '127.0.0.1', { rpcbind: atFirst(1, silent, registered) }, 900);
  t.is(found, right);
});

const junk: Script['rpcbind'] = ({ call }) => [
  Buffer.alloc(0),
  accepted(call),
  encodeReply({ xid: (call.xid + 1) % 2 ** 32, status: 'SUCCESS', results: Buffer.alloc(4, 1) }),
  encodeReply({ xid: call.xid, status: 'SUCCESS', results: Buffer.alloc(4, 0xff) }),
];

test('replies that are not the answer are no answer', async (t) => {
  t.is((await look(t, '127.0.0.1', { rpcbind: junk }, 200))[0], undefined);
  t.is((await look(t, '127.0.0.1', { rpcbind: refuse('PROG_UNAVAIL') }, 200))[0], undefined);
});

test('a closed port is known at once', async (t) => {
  const farm = new Farm();
  await farm.client('127.0.0.1');
  farm.close();
  t.is(
    await rpcbindLookup({ address: '127.0.0.1', port: farm.rpcbindPort, ...statd, timeoutMs: 600_000 }),
    undefined,
  );
});

test('an address that cannot be reached is no answer', async (t) => {
  t.is(await rpcbindLookup({ address: '255.255.255.255', ...statd, timeoutMs: 600_000 }), undefined);
});
