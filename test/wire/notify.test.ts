import type { ExecutionContext } from 'ava';
import type { NotifyOptions, NotifyResult } from '../../src/nsm/notify/notifier.js';
import { type Netns, withNetnsPair } from '../helpers/netns.js';
import { netnsTest as test } from './netns-test.js';
import { startNotify } from './notify.js';
import { startRpcbind, startStatd, witnessed } from './statd.js';

// A real rpcbind and rpc.statd are notified by our notifier over a cable; what rpc.statd hands to its callout is
// the witness. The server has addresses of its own beside its floating IPs.
const serverAddresses = ['10.99.0.250/24', '10.99.0.1/24', 'fd99::250/64', 'fd99::1/64', 'fe80::250/64'];
const clientAddresses = ['10.99.0.21/24', 'fd99::21/64', 'fe80::21/64'];
const names = (source: NotifyOptions['source']): string[] => [source.address, 'nfs1.example.com', 'nfs1'];
const floating4 = { address: '10.99.0.1', family: 4 } as const;
const floating6 = { address: 'fd99::1', family: 6 } as const;
const state = 1234567;

function optionsOf(options: Partial<NotifyOptions>): NotifyOptions {
  const source = options.source ?? floating4;
  const common = { source, names: names(source), state, clients: ['10.99.0.21'], deadlineMs: 60_000 };
  return { ...common, ...options };
}

function send(netns: Netns, options: Partial<NotifyOptions> = {}): Promise<NotifyResult> {
  return startNotify(netns, optionsOf(options)).result;
}

async function heard(
  t: ExecutionContext,
  client: Netns,
  source: NotifyOptions['source'],
  from: string,
): Promise<void> {
  const expected = names(source).map((name) => `sm-notify ${name} ${from} ${state}`);
  t.deepEqual([...new Set(await witnessed(client))].toSorted(), expected.toSorted());
}

/** `text`: how the client is recorded; `from`: the source address that its statd must see. */
async function testNotified(
  t: ExecutionContext,
  source: NotifyOptions['source'],
  text: string,
  from: string,
): Promise<void> {
  const [server, client] = await withNetnsPair(t, serverAddresses, clientAddresses);
  await startRpcbind(client);
  await startStatd(client);
  const result = await send(server, { source, clients: [text] });
  t.deepEqual(result, {
    notified: [text],
    notNotified: [],
    sourceUsed: source.address,
    privilegedPort: true,
  });
  await heard(t, client, source, from);
}

const scoped = 'fe80::250%veth0';
test('IPv4: statd hears each name from the floating IP', testNotified, floating4, '10.99.0.21', '10.99.0.1');
test('IPv6: statd hears each name from the floating IP', testNotified, floating6, 'fd99::21', 'fd99::1');
test('IPv4 in its mapped form', testNotified, floating4, '::ffff:10.99.0.21', '10.99.0.1');
test('link-local, the interface by name', testNotified, floating6, 'fe80::21%veth0', scoped);
test("link-local, the interface by another node's index", testNotified, floating6, 'fe80::21%77', scoped);
// Its own first address: the one that has the other network's clients too.
test('an IPv4 client of an IPv6 floating IP', testNotified, floating6, '10.99.0.21', '10.99.0.250');

async function testTcpOnly(
  t: ExecutionContext,
  source: NotifyOptions['source'],
  text: string,
  netid: string,
): Promise<void> {
  const [server, client] = await withNetnsPair(t, serverAddresses, clientAddresses);
  await startRpcbind(client);
  await startStatd(client);
  await client.run('rpcinfo', '-T', netid, '-d', '100024', '1');
  t.like(await send(server, { source, clients: [text] }), { notified: [text], notNotified: [] });
  await heard(t, client, source, source.address);
}
test('IPv4: statd is registered for TCP only', testTcpOnly, floating4, '10.99.0.21', 'udp');
test('IPv6: statd is registered for TCP only', testTcpOnly, floating6, 'fd99::21', 'udp6');

test('before the floating IP is up, the kernel chooses the source, and the result says so', async (t) => {
  const [server, client] = await withNetnsPair(t, ['10.99.0.250/24'], clientAddresses);
  await startRpcbind(client);
  await startStatd(client);
  t.like(await send(server), { notified: ['10.99.0.21'], sourceUsed: '0.0.0.0' });
  await heard(t, client, floating4, '10.99.0.250');
});

test('an IPv6 floating IP still under duplicate address detection is waited for', async (t) => {
  const [server, client] = await withNetnsPair(t, ['fd99::250/64'], clientAddresses);
  await startRpcbind(client);
  await startStatd(client);
  await server.run('ip', 'address', 'add', 'fd99::1/64', 'dev', 'veth0');
  t.regex(await server.run('ip', 'address', 'show', 'dev', 'veth0', 'tentative'), /fd99::1/);
  const result = await send(server, { source: floating6, clients: ['fd99::21'] });
  t.like(result, { notified: ['fd99::21'], sourceUsed: 'fd99::1' });
  await heard(t, client, floating6, 'fd99::1');
});

test('a client that comes up while it is notified: first its rpcbind, then its statd', async (t) => {
  const [server, client] = await withNetnsPair(t, serverAddresses, clientAddresses);
  const run = startNotify(server, optionsOf({}));
  await run.saw(/^started$/m);
  await startRpcbind(client);
  await startStatd(client);
  t.like(await run.result, { notified: ['10.99.0.21'] });
  await heard(t, client, floating4, '10.99.0.1');
});

test('an rpcbind without a statd, a host without either, a name that is none: each with its reason', async (t) => {
  const [server, client] = await withNetnsPair(t, serverAddresses, clientAddresses);
  await startRpcbind(client);
  const clients = ['10.99.0.21', '10.99.0.77', 'client1.example.com', '../x'];
  const { notNotified } = await send(server, { clients, deadlineMs: 2000 });
  t.deepEqual(Object.fromEntries(notNotified.map(({ client: name, reason }) => [name, reason])), {
    '10.99.0.21': 'statd is not registered with rpcbind',
    '10.99.0.77': 'rpcbind does not answer',
    'client1.example.com': 'name does not resolve',
    '../x': 'neither an address nor a host name',
  });
});

test('hosts on the link that are down fill a socket, and the others are notified from the next', async (t) => {
  const [server, client] = await withNetnsPair(t, ['10.99.0.1/24'], ['10.99.0.2/24', '10.99.0.21/24']);
  await startRpcbind(client);
  await startStatd(client);
  // The kernel asks for a silent neighbour for an hour, and holds what goes to it, instead of three seconds.
  await server.run('sh', '-c', 'echo 3600 >/proc/sys/net/ipv4/neigh/veth0/mcast_solicit');
  const down = Array.from({ length: 12 }, (_, index) => `10.99.0.${100 + index}`);
  // The smallest buffer that the kernel gives, 4,608 bytes, holds a handful of datagrams: two sockets are full, and after a second try, where
  // the first answer was lost, there are some still that are not.
  const pace = { bufferBytes: 1, firstMs: 20_000 };
  const run = startNotify(server, optionsOf({ clients: [...down, '10.99.0.21'], pace }));
  await run.saw(/^notified 10\.99\.0\.21$/m);
  run.interrupt();
  t.deepEqual(
    (await run.result).notNotified,
    down.map((text) => ({ client: text, reason: 'interrupted' })),
  );
});
