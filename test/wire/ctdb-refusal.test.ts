// How a node refuses NLM, in a kernel's own packet filter: what comes for the lock manager, what lockd begins by itself, and that it ends alone.
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Netns, withNetns, withNetnsPair } from '../helpers/netns.js';
import { netnsTest as test } from './netns-test.js';
import { waitFor } from './wait-for.js';

const own = '10.9.0.1';
const shared = '10.9.0.3';
const client = '10.9.0.2';
const lockd = 4045;
const nfsd = 2049;

const inside = (netns: Netns, ...words: string[]) =>
  netns.run(process.execPath, path.join(import.meta.dirname, 'ctdb-refusal-inside.js'), ...words);

async function listen(netns: Netns, address: string, port: number): Promise<void> {
  const script = path.join(import.meta.dirname, 'ctdb-refusal-inside.js');
  await netns.start(process.execPath, [script, 'listen', address, String(port)]).saw(/listens/);
}

/** Whether a connection comes about, from such an address and port. */
async function connects(netns: Netns, to: string, port: number, from = '', fromPort = ''): Promise<boolean> {
  return (await inside(netns, 'connect', from, fromPort, to, String(port))) === 'here';
}

/** The programs of the system, but for those that are not to be there. */
const without = (...names: string[]) => `mkdir /run/sbin /run/sbin.work
  mount -t overlay -o lowerdir=/usr/sbin,upperdir=/run/sbin,workdir=/run/sbin.work overlay /usr/sbin
  cd /usr/sbin; rm -f ${names.join(' ')}`;

/** Either kind of iptables stands for it. */
const kind = (name: string) => `${without('nft')}
  for p in iptables ip6tables; do rm -f $p $p-restore; ln -s xtables-${name}-multi $p; ln -s xtables-${name}-multi $p-restore; done`;

const prepared = {
  nft: 'true',
  'iptables, its kind of today': kind('nft'),
  'iptables, its old kind': kind('legacy'),
};
type Filter = keyof typeof prepared;
const flushes: Readonly<Record<Filter, string>> = {
  // Another program of that name is found first below npx.
  nft: '/usr/sbin/nft flush ruleset',
  'iptables, its kind of today': 'iptables -F INPUT; ip6tables -F INPUT',
  'iptables, its old kind': 'iptables -F INPUT; ip6tables -F INPUT',
};
const filters = ['nft', 'iptables, its kind of today', 'iptables, its old kind'] as const;

async function site(t: ExecutionContext, filter: Filter): Promise<readonly [Netns, Netns]> {
  t.timeout(240_000);
  const [server, far] = await withNetnsPair(t, [`${own}/24`, `${shared}/24`], [`${client}/24`]);
  await server.run('sh', '-ec', prepared[filter]);
  for (const port of [lockd, nfsd]) await listen(server, '0.0.0.0', port);
  await listen(far, client, 700);
  return [server, far];
}

const refused = JSON.stringify({
  ports: [
    { protocol: 'tcp', port: lockd },
    { protocol: 'udp', port: lockd },
  ],
  addresses: [shared, 'fd00::1'],
});

for (const filter of filters) {
  test(`${filter}: the lock manager is refused, and nothing else; nor does it reach a client from the public address`, async (t) => {
    const [server, far] = await site(t, filter);
    t.true(await connects(far, shared, lockd));
    t.is(await inside(server, 'is'), 'false');
    await inside(server, 'refuse', refused, '600000');
    t.is(await inside(server, 'is'), 'true');
    t.false(await connects(far, shared, lockd), 'in');
    t.false(await connects(far, own, lockd), 'in, by any address');
    t.true(await connects(far, shared, nfsd), 'nfsd serves on');
    t.true(await connects(server, '127.0.0.1', lockd), 'statd of this node still reaches it');
    t.false(await connects(server, client, 700, shared, '801'), 'a GRANTED');
    t.true(await connects(server, client, 700, own, '802'), 'what comes from an address of its own');
    t.true(await connects(server, client, 700, shared, '40000'), 'nfsd, mountd and others');
    t.is(await inside(server, 'stands', refused), 'true');
    // As an administrator does who reloads a firewall.
    await server.run('sh', '-c', flushes[filter]);
    t.is(await inside(server, 'stands', refused), 'false');
    t.true(await connects(far, shared, lockd));
    // Renewed, as by a process that waits still.
    await inside(server, 'refuse', refused, '600000');
    t.false(await connects(far, shared, lockd));
    await inside(server, 'through');
    t.is(await inside(server, 'is'), 'false');
    t.true(await connects(far, shared, lockd));
    t.true(await connects(server, client, 700, shared, '803'));
    await inside(server, 'through');
  });

  test(`${filter}: nobody has to be there for it to end`, async (t) => {
    const [server, far] = await site(t, filter);
    await inside(server, 'refuse', refused, '20000');
    t.false(await connects(far, shared, lockd));
    await waitFor('the refusal to end by itself', () => connects(far, shared, lockd));
    t.is(await inside(server, 'is'), 'false');
    t.is(await inside(server, 'stands', refused), 'false');
    t.true(await connects(server, client, 700, shared, '801'));
  });
}

test('with neither of them it is said what to install', async (t) => {
  const server = await withNetns(t);
  await server.run(
    'sh',
    '-ec',
    without('nft', 'iptables', 'ip6tables', 'iptables-restore', 'ip6tables-restore'),
  );
  await t.throwsAsync(inside(server, 'refuse', refused, '600000'), {
    message: /Neither nft nor iptables is installed: NLM cannot be refused/,
  });
});
