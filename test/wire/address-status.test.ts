// Where an address is, with and without a process to ask: the links and prefix lengths that `ip` shows, and nothing else.
import { join } from 'node:path';
import type { AddressPlace } from '../../src/host/reading/addresses.js';
import { type Netns, withNetns } from '../helpers/netns.js';
import { netnsTest } from './netns-test.js';

const [ours, other] = ['10.10.1.1', '10.10.1.2'];
const [ours6, other6] = ['fd00::10:0:0:1', 'fd00::10:0:0:2'];
const all = [ours, other, ours6, other6];
const none = [[], [], [], []];
const on24 = [['nfs-link', 24]] as const;
const on64 = [['nfs-link', 64]] as const;

/** Of each of the four, asked for on `link`. With an `ip` that fails, where none may be needed. */
async function here(
  netns: Netns,
  link: string,
  { withIp = true } = {},
): Promise<(readonly (readonly [link: string, prefix: number])[])[]> {
  const script = join(import.meta.dirname, 'address-status-inside.js');
  // Not found in the empty directory, and in none of the system's: they are hidden below it.
  const hide = withIp
    ? ''
    : 'for d in /usr/sbin /usr/bin /sbin /bin; do [ ! -e $d/ip ] || mount --bind /dev/null $d/ip; done; ';
  const command = `${hide}exec ${process.execPath} ${script} ${link} ${all.join(' ')}`;
  const said = JSON.parse(await netns.run('unshare', '--mount', 'sh', '-c', command)) as AddressPlace[][];
  return said.map((places) => places.map((place) => [place.interface, place.prefix] as const));
}

/** A veth, whose other end is up. */
async function addLink(netns: Netns, name: string, state: 'up' | 'down'): Promise<void> {
  await netns.run('ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'peer0');
  await netns.run('ip', 'link', 'set', 'peer0', 'up');
  await netns.run('ip', 'link', 'set', name, state);
}

netnsTest('addresses of a link that runs', async (t) => {
  const netns = await withNetns(t);
  await addLink(netns, 'nfs-link', 'up');
  for (const address of ['192.0.2.7/24', `${ours}/24`, `${ours6}/64`])
    await netns.run('ip', 'address', 'add', address, 'dev', 'nfs-link');
  t.deepEqual(await here(netns, 'nfs-link', { withIp: false }), [on24, [], on64, []]);
  t.deepEqual(await here(netns, 'no-such-link', { withIp: false }), [on24, [], on64, []]);
  await netns.run('ip', 'address', 'add', `${other}/24`, 'dev', 'nfs-link', 'label', 'nfs-link:1');
  await netns.run('ip', 'address', 'del', '192.0.2.7/24', 'dev', 'nfs-link');
  t.deepEqual(await here(netns, 'nfs-link', { withIp: false }), [on24, on24, on64, []]);
});

netnsTest('on another link, with another prefix length, and on two', async (t) => {
  const netns = await withNetns(t);
  await addLink(netns, 'nfs-link', 'up');
  await netns.run('ip', 'address', 'add', `${ours}/32`, 'dev', 'peer0');
  await netns.run('ip', 'address', 'add', `${ours6}/128`, 'dev', 'nfs-link');
  const [one, , one6] = await here(netns, 'nfs-link', { withIp: false });
  t.deepEqual(one, [['peer0', 32]]);
  t.deepEqual(one6, [['nfs-link', 128]]);
  await netns.run('ip', 'address', 'add', `${ours}/24`, 'dev', 'nfs-link');
  t.deepEqual((await here(netns, 'nfs-link', { withIp: false }))[0]?.toSorted(), [...on24, ['peer0', 32]]);
});

netnsTest('addresses of a link that is down', async (t) => {
  const netns = await withNetns(t);
  await addLink(netns, 'nfs-link', 'down');
  t.deepEqual(await here(netns, 'nfs-link'), none);
  await netns.run('ip', 'address', 'add', `${ours}/24`, 'dev', 'nfs-link');
  await netns.run('ip', 'address', 'add', `${ours6}/64`, 'dev', 'nfs-link');
  t.deepEqual(await here(netns, 'nfs-link'), [on24, [], on64, []]);
});

netnsTest('a link whose name begins as that of another', async (t) => {
  const netns = await withNetns(t);
  await addLink(netns, 'nfs-link2', 'up');
  t.deepEqual(await here(netns, 'nfs-link', { withIp: false }), none);
});
