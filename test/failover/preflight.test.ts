// Look first, then claim, then act: what stands in the way of a takeover is found, all of it, before anything is claimed or touched.
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { lookAtMount } from '../../src/host/actions/look-mount.js';
import { lookAtClients, lookAtLink } from '../../src/host/actions/looks.js';
import { realHost } from '../../src/host/real.js';
import { isInstalled } from '../../src/host/running/command.js';
import { loadConfig } from '../../src/config/load-config.js';
import { chooseDriver } from '../../src/lockmanager/choose.js';
import { drivers } from '../../src/lockmanager/drivers.js';
import type { DriverModule } from '../../src/lockmanager/module.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { addClient } from '../helpers/rehearsal-steps.js';
import { treeOf } from '../helpers/tree.js';

const address = '127.77.17.1';
const shared = '/shared_storage';

function fixture(t: ExecutionContext) {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: shared });
  t.teardown(() => site.remove());
  mkdirSync(path.join(site.directory, shared));
  for (const node of [site.a, site.b]) node.link(shared, path.join(site.directory, shared));
  return site;
}

function configure(node: RehearsalNode, from: string, to: string): void {
  const file = '/etc/nlm-failover.toml';
  const text = node.read(file);
  if (!text.includes(from)) throw new Error(`not in the configuration: ${from}`);
  node.write(file, text.replace(from, to));
}

const links = (...all: { ifname: string; flags: string[] }[]) => JSON.stringify(all);
const eth0 = links({ ifname: 'eth0', flags: ['UP', 'LOWER_UP'] });

/** What is wrong on a node, and what is said of it. */
const mistakes: readonly (readonly [what: string, make: (node: RehearsalNode) => void, said: RegExp])[] = [
  [
    'a typo in interface',
    (node) => configure(node, 'interface = "eth0"', 'interface = "eht0"'),
    /no network interface eht0/,
  ],
  [
    'an interface that is down',
    (node) => node.write('/links.json', links({ ifname: 'eth0', flags: ['BROADCAST'] })),
    /interface eth0 is down/,
  ],
  [
    'a device that is not there',
    (node) => configure(node, 'device = "/dev/vol1"', 'device = "/dev/vol9"'),
    /The device \/dev\/vol9 cannot be found on this node/,
  ],
  [
    'a mount point that is a file',
    (node) => {
      rmSync(node.path('/mnt/vol1'), { recursive: true });
      node.write('/mnt/vol1', '');
    },
    /\/mnt\/vol1 is not a directory/,
  ],
  [
    'a device with another file system',
    (node) => node.write('/blkid.json', '{"/dev/vol1":"xfs"}'),
    /\/dev\/vol1 is xfs, and the configuration says ext4/,
  ],
  [
    'a device without a file system',
    (node) => node.write('/blkid.json', '{"/dev/vol1":""}'),
    /no file system on \/dev\/vol1/,
  ],
  [
    'something else with its fsid',
    (node) => node.write('/var/lib/nfs/etab', '/srv/other\t10.9.0.0/16(rw,sec=krb5,fsid=1234)\n'),
    /fsid 1234, that of \/mnt\/vol1, is exported with \/srv\/other too, to 10\.9\.0\.0\/16/,
  ],
  [
    'an export option that exportfs refuses',
    (node) => configure(node, '"rw,no_subtree_check"', '"rw,anonuid=abc"'),
    /refuses the option "anonuid=abc" of the export of \/mnt\/vol1/,
  ],
  [
    'an NFSv3 mount, which keeps lockd running',
    (node) => node.write('/proc/self/mountinfo', '9 0 0:9 / /far rw - nfs far:/x rw,vers=3\n'),
    /NFSv3 mount on this host \(\/far\)/,
  ],
  [
    'the address on another interface',
    (node) =>
      node.write(
        '/addresses.json',
        JSON.stringify([{ ifname: 'eth7', addr_info: [{ local: address, prefixlen: 24 }] }]),
      ),
    /is up on eth7, and the configuration says eth0/,
  ],
];

for (const [what, make, said] of mistakes) {
  test(`${what}: refused, nothing claimed or touched, and --dry-run says so too`, async (t) => {
    const { a, directory } = fixture(t);
    a.write('/links.json', eth0);
    make(a);
    const disks = () => [...treeOf(path.join(directory, 'disks')), ...treeOf(path.join(directory, shared))];
    const before = disks();
    const machine = () =>
      [
        '/proc/self/mountinfo',
        '/var/lib/nfs/etab',
        '/addresses.json',
        '/proc/fs/nfsd/threads',
        '/proc/fs/lockd/nlm_end_grace',
      ].map((file) => a.read(file));
    const was = machine();
    for (const more of [[], ['--fenced'], ['--dry-run']]) {
      const { exitCode, stderr, stdout } = await a.here(['takeover', address, '--no-wait', ...more]);
      t.is(exitCode === 1 ? 3 : exitCode, 3, stderr);
      t.regex(stderr, said);
      if (more.includes('--dry-run'))
        t.regex(stdout, /^takeover .* on A, lock manager lockd \(auto: [^]*B-1 {2}mount/);
    }
    t.deepEqual(disks(), before);
    t.deepEqual(machine(), was);
    t.false(existsSync(a.path(`${shared}/sm_${address}`)), 'no record was made');
  });
}

test('all of it is said at once, and the owner stays who it was', async (t) => {
  const { a, b } = fixture(t);
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  b.write('/links.json', eth0);
  for (const [, make] of [mistakes[0], mistakes[2], mistakes[3]].flatMap((one) =>
    one === undefined ? [] : [one],
  ))
    make(b);
  const { exitCode, stderr } = await b.here(['takeover', address, '--no-wait', '--fenced']);
  t.is(exitCode, 3);
  t.regex(stderr, /3 things stand in its way:/);
  for (const said of [
    /no network interface eht0/,
    /The device \/dev\/vol9 cannot be found on this node/,
    /\/mnt\/vol1 is not a directory/,
  ])
    t.regex(stderr, said);
  t.regex((await b.here(['status', address])).stdout, /owner +A, epoch 1$/m);
  // Mended, it goes on as if nothing had been.
  b.write('/etc/nlm-failover.toml', a.read('/etc/nlm-failover.toml').replace('node = "A"', 'node = "B"'));
  rmSync(b.path('/mnt/vol1'));
  mkdirSync(b.path('/mnt/vol1'));
  t.is((await b.here(['takeover', address, '--no-wait', '--fenced'])).exitCode, 0);
});

test('what is here already is not looked at: the owner goes on', async (t) => {
  const { a } = fixture(t);
  a.write('/links.json', eth0);
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  addClient(a, '127.77.17.9');
  // None of them matters to what is mounted, up, and served.
  a.write('/links.json', links({ ifname: 'eth0', flags: [] }));
  a.write(
    '/proc/self/mountinfo',
    `${a.read('/proc/self/mountinfo')}9 0 0:9 / /far rw - nfs far:/x rw,vers=3\n`,
  );
  const { exitCode, stderr } = await a.here(['takeover', address, '--no-wait']);
  t.is(exitCode, 0, stderr);
});

test('auto takes no other driver because of a mistake in the configuration', async (t) => {
  const { a } = fixture(t);
  // A program that this machine has: it is asked for it.
  a.write('/etc/nlm-failover.toml', a.read('/etc/nlm-failover.toml').replace('"start-nfsd"', '"true"'));
  const config = await loadConfig({ drivers, file: a.config });
  const [floatingIp] = config.floatingIps;
  if (floatingIp === undefined) throw new Error('no floating IP');
  const lacking = (reasons: readonly string[]): DriverModule[] =>
    drivers.map((module) =>
      module.servesFrom === 'instance'
        ? { ...module, lacks: async () => reasons, mistakes: () => ['no network interface eht0'] }
        : module,
    );
  const site = {
    host: {
      ...realHost,
      path: (file: string) => a.path(file),
      readText: () => undefined,
      run: async () => ({ exitCode: 0, stdout: '[]', stderr: '' }),
    },
    config,
    run: path.join(a.root, 'run'),
    callout: '/ha-callout',
    floatingIp,
  };
  const chosen = async (reasons: readonly string[]) =>
    (await chooseDriver(lacking(reasons), site, { takesOver: true })).driver.name;
  t.is(await chosen(['no network interface eht0']), 'lockd-netns');
  t.is(await chosen(['no network interface eht0', 'no nfsd in this kernel']), 'lockd');
  // The real one tells the two apart.
  const real = drivers.find(({ servesFrom }) => servesFrom === 'instance');
  const absent = { ...site, host: realHost, floatingIp: { ...floatingIp, interface: 'absent0' } };
  t.deepEqual(real?.mistakes?.(absent), ['no network interface absent0']);
  t.true((await real?.lacks(absent, { takesOver: true }))?.includes('no network interface absent0'));
  t.deepEqual(real?.mistakes?.({ ...absent, floatingIp: { ...floatingIp, interface: 'lo' } }), []);
});

test('the looks, on this very machine', async (t) => {
  t.deepEqual(
    await lookAtLink(realHost, 'absent0').then((all) => all.map(({ message }) => message.split(':')[0])),
    ['There is no network interface absent0'],
  );
  const type = async (name: string) =>
    (await lookAtMount(realHost, { device: '/dev/null', mountpoint: '/', type: name, options: '' })).map(
      ({ message }) => message,
    );
  t.deepEqual(await type('ext5'), ['This kernel knows no file system of type "ext5"']);
  for (const known of ['tmpfs', 'proc', 'auto']) t.deepEqual(await type(known), [], known);
  t.true(
    isInstalled('sh') &&
      isInstalled('/bin/sh') &&
      !isInstalled('no-such-program') &&
      !isInstalled('/etc/passwd'),
  );
  const clients = async (spec: string) => (await lookAtClients(realHost, spec)).map(({ isNote }) => isNote);
  t.deepEqual(await clients('localhost'), []);
  for (const spec of ['*', '10.0.0.0/8', '@group', '*.example.com', '10.1.1.1', '[fd00::1]'])
    t.deepEqual(await clients(spec), [], spec);
  t.deepEqual(await clients('no-such-client.invalid'), [true]);
});
