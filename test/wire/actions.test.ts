// The actions of, B-1 and B-4 on this machine's own kernel, in namespaces made for each test.
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type Netns, netnsUnavailable, withNetns, withNetnsPair } from '../helpers/netns.js';
import { askInside } from '../helpers/inside.js';
import type { Acted } from './act.js';

const reason = netnsUnavailable();
const wireTest = reason === undefined ? test.serial : test.serial.skip;

const actScript = join(import.meta.dirname, 'act.js');
const act = (netns: Netns, name: string, argument: unknown) =>
  askInside<Acted>(netns, actScript, `${name} ${JSON.stringify(argument)}`);

const ip4 = { address: '10.10.1.1', family: 4, prefix: 24, interface: 'veth0' };
const ip6 = { address: 'fd00:10:10:1::1', family: 6, prefix: 64, interface: 'veth0' };

async function pair(t: ExecutionContext): Promise<[Netns, Netns]> {
  t.timeout(60_000);
  return withNetnsPair(t, ['10.10.1.11/24', 'fd00:10:10:1::11/64'], ['10.10.1.21/24', 'fd00:10:10:1::21/64']);
}

for (const ip of [ip4, ip6]) {
  wireTest(`IPv${ip.family}: the address comes up, once, and goes down, once`, async (t) => {
    const [server, client] = await pair(t);
    t.deepEqual(await act(server, 'address-up', ip), { already: false });
    t.deepEqual(await act(server, 'address-up', ip), { already: true });
    await client.run('ping', '-c', '1', '-W', '5', ip.address);
    t.regex(
      (await act(server, 'address-up', { ...ip, interface: 'lo' })).error ?? '',
      /is up on veth0, and the configuration says lo/,
    );
    t.deepEqual(await act(server, 'address-down', ip), { already: false });
    t.deepEqual(await act(server, 'address-down', ip), { already: true });
    await t.throwsAsync(client.run('ping', '-c', '1', '-W', '1', ip.address));
  });
}

wireTest('the address going down does not take the other addresses of its network along', async (t) => {
  const [server] = await withNetnsPair(t, [], []);
  await server.run('sh', '-c', 'echo 0 >/proc/sys/net/ipv4/conf/veth0/promote_secondaries');
  for (const address of ['10.10.1.1/24', '10.10.1.2/24', '10.10.1.3/24']) {
    await server.run('ip', 'address', 'add', address, 'dev', 'veth0');
  }
  const { remark } = await act(server, 'address-down', ip4);
  t.is(remark, 'set promote_secondaries on veth0, so that 10.10.1.2, 10.10.1.3 stay');
  const left = await server.run('ip', '-br', '-4', 'address', 'show', 'dev', 'veth0');
  t.regex(left, /10\.10\.1\.2\/24 10\.10\.1\.3\/24/);
});

wireTest('an address that is up in several places goes down in each', async (t) => {
  const [server] = await withNetnsPair(t, [], []);
  for (const [address, link] of [
    [`${ip4.address}/24`, 'veth0'],
    [`${ip4.address}/32`, 'veth0'],
    [`${ip4.address}/32`, 'lo'],
    [`${ip6.address}/64`, 'veth0'],
    [`${ip6.address}/128`, 'lo'],
  ] as const)
    await server.run('ip', 'address', 'add', address, 'dev', link);
  for (const ip of [ip4, ip6]) {
    t.deepEqual(await act(server, 'address-down-everywhere', ip), { already: false });
    t.notRegex(await server.run('ip', '-br', 'address', 'show'), new RegExp(`${ip.address}/`));
  }
});

wireTest('neighbours learn a new link-layer address at once, over IPv4', async (t) => {
  const [server, client] = await pair(t);
  await act(server, 'address-up', ip4);
  await client.run('ping', '-c', '1', '-W', '5', ip4.address);
  const neighbour = () => client.run('ip', 'neigh', 'show', ip4.address);
  await server.run('ip', 'link', 'set', 'veth0', 'address', '02:00:00:00:00:99');
  t.notRegex(await neighbour(), /02:00:00:00:00:99/);
  // Within locktime (1 s) of its last confirmation Linux keeps what it has (arp_process in net/ipv4/arp.c).
  await client.run('sh', '-c', 'echo 0 >/proc/sys/net/ipv4/neigh/veth0/locktime');
  t.deepEqual(await act(server, 'announce', ip4), { already: false });
  t.regex(await neighbour(), /02:00:00:00:00:99/);
});

wireTest('IPv6: the kernel is asked to advertise, and neighbours learn the new address', async (t) => {
  const [server, client] = await pair(t);
  await act(server, 'address-up', ip6);
  await client.run('ping', '-c', '1', '-W', '5', ip6.address);
  const neighbour = () => client.run('ip', 'neigh', 'show', ip6.address);
  await act(server, 'address-down', ip6);
  await server.run('ip', 'link', 'set', 'veth0', 'address', '02:00:00:00:00:99');
  t.notRegex(await neighbour(), /02:00:00:00:00:99/);
  t.deepEqual(await act(server, 'announce', ip6), { already: false });
  await act(server, 'address-up', ip6);
  t.regex(await neighbour(), /02:00:00:00:00:99/);
});

wireTest('IPv6: an address that another host has is taken off again', async (t) => {
  const [server, client] = await pair(t);
  const taken = { ...ip6, address: 'fd00:10:10:1::21' };
  t.regex((await act(server, 'address-up', taken)).error ?? '', /Another host on veth0 has fd00:10:10:1::21/);
  t.notRegex(await server.run('ip', 'address', 'show'), /::21/);
  await client.run('ping', '-c', '1', '-W', '5', 'fd00:10:10:1::11');
});

wireTest('TCP connections of the address are cut, others are not', async (t) => {
  const [server, client] = await pair(t);
  await act(server, 'address-up', ip4);
  const listen = `const held = []; require('node:net').createServer((socket) => {
    held.push(socket.on('error', () => console.log('cut')));
    console.log('accepted');
  }).listen(2049, '0.0.0.0', () => console.log('listening'))`;
  const listener = server.start(process.execPath, ['-e', listen]);
  await listener.saw(/listening/);
  const connect = `for (const host of ['10.10.1.1', '10.10.1.11']) require('node:net').connect(2049, host).on('error', () => {})`;
  client.start(process.execPath, ['-e', connect]);
  await listener.saw(/accepted\naccepted/);
  await act(server, 'address-down', ip4);
  t.deepEqual(await act(server, 'cut-connections', ip4), { already: false, remark: 'cut 1 TCP connection' });
  await listener.saw(/cut/);
  t.deepEqual(await act(server, 'cut-connections', ip4), { already: true });
  const left = await server.run('ss', '-Htn', 'state', 'established', 'src', '10.10.1.11');
  t.is(left.trim().split('\n').length, 1);
});

wireTest('a mount: once, never over another device, and who holds it is named', async (t) => {
  const host = await withNetns(t);
  const filesystem = { device: '/dev/volume', mountpoint: '/run/volume', type: 'tmpfs', options: 'size=64k' };
  await host.run('touch', '/run/volume');
  t.regex((await act(host, 'mount', filesystem)).error ?? '', /is not a directory/);
  await host.run('rm', '/run/volume');
  t.deepEqual(await act(host, 'mount', filesystem), { already: false });
  t.deepEqual(await act(host, 'mount', filesystem), { already: true });
  const other = { ...filesystem, device: '/dev/other' };
  t.regex((await act(host, 'mount', other)).error ?? '', /has \/dev\/volume mounted.*not touched/);
  t.regex((await act(host, 'unmount', other)).error ?? '', /has \/dev\/volume mounted.*not touched/);
  const sitter = host.start('sh', ['-c', 'cd /run/volume && echo sitting && read -r _']);
  await sitter.saw(/sitting/);
  t.regex((await act(host, 'unmount', filesystem)).error ?? '', /busy.*held by sh \(pid \d+\)/);
  sitter.end();
  await sitter.exited;
  t.deepEqual(await act(host, 'unmount', filesystem), { already: false });
  t.deepEqual(await act(host, 'unmount', filesystem), { already: true });
});
