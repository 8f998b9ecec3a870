// Which driver serves an address: what the configuration says, what is here already, what the address is, what the host can do.
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '../../src/config/load-config.js';
import { FailoverError } from '../../src/errors.js';
import type { Host } from '../../src/host/host.js';
import { realHost } from '../../src/host/real.js';
import { rehearsalHost } from '../../src/host/rehearsal/rehearsal.js';
import { chooseDriver, driverHere } from '../../src/lockmanager/choose.js';
import { drivers } from '../../src/lockmanager/drivers.js';
import { lockdModule } from '../../src/lockmanager/lockd/module.js';
import { instanceLacks } from '../../src/lockmanager/lockd-netns/able.js';
import type { DriverModule, Site } from '../../src/lockmanager/module.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';

const address = '10.10.1.1';
const uuid = '6b9d6c1e-0c5a-4f0e-9d4f-2f1f6a3c7e10';

function node(t: ExecutionContext): RehearsalNode {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/state' });
  t.teardown(() => site.remove());
  return site.a;
}

/** Replaces a piece of the node's configuration; it must be there. */
function configure(a: RehearsalNode, from: string, to: string): void {
  const text = a.read('/etc/nlm-failover.toml');
  if (!text.includes(from)) throw new Error(`not in the configuration: ${from}`);
  a.write('/etc/nlm-failover.toml', text.replace(from, to));
}

const driver = (name: string) => ['[lock_manager]', `[lock_manager]\ndriver = "${name}"`] as const;

async function siteOf(a: RehearsalNode, modules = drivers): Promise<Site> {
  const config = await loadConfig({ file: a.config, drivers: modules });
  const [floatingIp] = config.floatingIps;
  if (floatingIp === undefined) throw new Error('no floating IP');
  const run = path.join(a.root, 'run/nlm-failover');
  return { host: rehearsalHost(a.root), config, run, callout: '/ha-callout', floatingIp };
}

async function chosen(a: RehearsalNode, { takesOver = true, modules = drivers } = {}): Promise<string> {
  const choice = await chooseDriver(modules, await siteOf(a, modules), { takesOver });
  return `${choice.driver.name}: ${choice.why}`;
}

async function refused(
  t: ExecutionContext,
  a: RehearsalNode,
  modules?: readonly DriverModule[],
): Promise<FailoverError> {
  const error = await t.throwsAsync(chosen(a, modules === undefined ? {} : { modules }), {
    instanceOf: FailoverError,
  });
  t.is(error.exitCode, 3);
  return error;
}

const up = JSON.stringify([{ ifname: 'eth0', addr_info: [{ local: address, prefixlen: 24 }] }]);
const no2006 = 'not nlm-fsid: no /proc/fs/nfsd/nlm_unlock, no /proc/fs/nfsd/nlm_set_ip_grace';
const noKernel = 'a rehearsal has no kernel of its own';

function makeInstance(a: RehearsalNode): void {
  mkdirSync(a.path('/run/netns'), { recursive: true });
  a.write(`/run/netns/nfs-${address}`, '');
}

function make2006(a: RehearsalNode): void {
  for (const name of ['nlm_unlock', 'nlm_set_ip_grace']) a.write(`/proc/fs/nfsd/${name}`, '');
}

test('auto: what serves the address here goes on, whatever the host could do', async (t) => {
  const a = node(t);
  a.write('/addresses.json', up);
  t.is(await chosen(a), `lockd: auto: ${no2006}; not lockd-netns: ${address} is up on eth0`);
  a.write('/addresses.json', '[]');
  a.write('/var/lib/nfs/etab', '/mnt/vol1\t*(rw,fsid=1234)\n');
  t.is(await chosen(a), `lockd: auto: ${no2006}; not lockd-netns: /mnt/vol1 is exported`);
  a.write('/var/lib/nfs/etab', '');
  mkdirSync(a.path('/run/nlm-failover/serving'), { recursive: true });
  a.link(`/run/nlm-failover/serving/${address}`, '/nowhere');
  t.is(await chosen(a), `lockd: auto: ${no2006}; not lockd-netns: ${address} is recorded`);
  // An instance counts before what is on the node, which may be what a crash left.
  make2006(a);
  makeInstance(a);
  t.is(await chosen(a), 'lockd-netns: auto: its instance is here');
});

test('auto: no instance where somebody else makes the address or the exports', async (t) => {
  t.is(
    await chosen(node(t), { takesOver: false }),
    `lockd: auto: ${no2006}; not lockd-netns: this command does not do B-4 and B-5`,
  );
});

test('auto: lockd where no instance can be made, and it says why', async (t) => {
  t.is(await chosen(node(t)), `lockd: auto: ${no2006}; not lockd-netns: ${noKernel}`);
});

test('a driver by name is refused while another one serves the address here', async (t) => {
  const a = node(t);
  configure(a, ...driver('lockd-netns'));
  t.like(await refused(t, a), {
    code: 'DRIVER_UNSUITED',
    message: `This host cannot do the lock manager driver lockd-netns: ${noKernel}`,
  });
  a.write('/addresses.json', up);
  t.like(await refused(t, a), {
    code: 'SERVED_OTHERWISE',
    message: `${address} is up on eth0, on the host itself and not in an instance, while the configuration says driver "lockd-netns"`,
  });
  makeInstance(a);
  t.is(await chosen(a), 'lockd-netns: configured', 'also where no other could be made');
  configure(a, 'driver = "lockd-netns"', 'driver = "lockd"');
  t.like(await refused(t, a), {
    code: 'SERVED_OTHERWISE',
    message: `${address} has an instance on this node, made by the driver "lockd-netns", while the configuration says "lockd"`,
  });
});

test('the 2006 interface is two files: auto and an error name each one that is not there', async (t) => {
  const a = node(t);
  a.write('/proc/fs/nfsd/nlm_unlock', '');
  t.regex(await chosen(a), /^lockd: auto: not nlm-fsid: no \/proc\/fs\/nfsd\/nlm_set_ip_grace; /);
  make2006(a);
  t.is(await chosen(a), 'nlm-fsid: auto: kernels with the lock failover patches of 2006');
  // What is here already goes on with it too.
  a.write('/addresses.json', up);
  t.is(await chosen(a), 'nlm-fsid: auto: kernels with the lock failover patches of 2006');
  for (const name of ['nlm_unlock', 'nlm_set_ip_grace']) a.remove(`/proc/fs/nfsd/${name}`);
  configure(a, ...driver('nlm-fsid'));
  const error = await refused(t, a);
  t.is(error.code, 'DRIVER_UNSUITED');
  t.is(
    error.message,
    'This host cannot do the lock manager driver nlm-fsid: no /proc/fs/nfsd/nlm_unlock, no /proc/fs/nfsd/nlm_set_ip_grace',
  );
});

test('an fsid that is a UUID is nothing for nlm_unlock, also on a kernel that has it', async (t) => {
  const a = node(t);
  make2006(a);
  configure(a, 'fsid = 1234', `fsid = "${uuid}"`);
  t.is(
    await chosen(a),
    `lockd: auto: not nlm-fsid: fsid ${uuid} is a UUID, and nlm_unlock takes an integer; not lockd-netns: ${noKernel}`,
  );
  // Asked for by name it is the configuration that is wrong.
  configure(a, ...driver('nlm-fsid'));
  const error = await refused(t, a);
  t.is(error.code, 'CONFIG_INVALID');
  t.regex(error.message, /filesystem\[0\]\.fsid = "6b9d.*": driver "nlm-fsid" needs an integer/);
  // A list of drivers without that check of the file: the driver itself refuses.
  const modules = drivers.map((module) => ({ ...module, problems: () => [] }));
  const other = await refused(t, a, modules);
  t.is(other.code, 'DRIVER_UNSUITED');
  t.is(
    other.message,
    `The lock manager driver nlm-fsid cannot serve ${address}: fsid ${uuid} is a UUID, and nlm_unlock takes an integer`,
  );
});

const krb5 = 'an export with sec=krb5 needs gssproxy, which an instance has not';
const tls = 'an export with xprtsec=tls needs tlshd, which an instance has not';
const exported = 'options = "rw,no_subtree_check"';
for (const [to, reason, from = exported] of [
  ['options = "rw,sec=sys:krb5p"', krb5],
  ['options = "rw,xprtsec=none:mtls"', tls],
  ['options = "xprtsec=tls,sec=krb5"', `${krb5}, ${tls}`],
  [
    'state_directory = "/var/lib/nfs/shared"',
    '/var/lib/nfs/shared is not seen in an instance, which has a /var/lib/nfs of its own',
    'state_directory = "/state"',
  ],
  [
    'mountpoint = "/run/vol1"',
    '/run/vol1 is not seen in an instance, which has a /run of its own',
    'mountpoint = "/mnt/vol1"',
  ],
  ...(['export', 'address'] as const).map(
    (part) =>
      [
        `managed_by_others = ["${part}"]\ninterface = "eth0"`,
        `managed_by_others has "${part}", and nobody else can do that in an instance`,
        'interface = "eth0"',
      ] as const,
  ),
] as const) {
  test(`an instance cannot serve ${to}: auto passes it over, and says so beside what the host lacks`, async (t) => {
    const a = node(t);
    configure(a, from, to);
    t.is(await chosen(a), `lockd: auto: ${no2006}; not lockd-netns: ${reason}, ${noKernel}`);
    configure(a, ...driver('lockd-netns'));
    t.like(await refused(t, a), {
      code: 'DRIVER_UNSUITED',
      message: `The lock manager driver lockd-netns cannot serve ${address}: ${reason}. This host cannot do the lock manager driver lockd-netns: ${noKernel}`,
    });
  });
}

test('options that only look like those do not', async (t) => {
  const a = node(t);
  configure(a, exported, 'options = "rw,sec=sys,xprtsec=none"');
  t.is(await chosen(a), `lockd: auto: ${no2006}; not lockd-netns: ${noKernel}`);
});

test('no driver at all is an error that says what is in the way of each', async (t) => {
  const site = await siteOf(node(t));
  const error = await t.throwsAsync(chooseDriver(drivers.slice(0, -1), site, { takesOver: true }), {
    instanceOf: FailoverError,
  });
  t.is(error.exitCode, 3);
  t.is(error.code, 'NO_DRIVER');
  t.is(
    error.message,
    `No lock manager driver can serve ${address} on this host: ${no2006}; not lockd-netns: ${noKernel}`,
  );
});

test('who serves the address here, for status: the one named among those that could have made it', async (t) => {
  const a = node(t);
  const here = async () => (await driverHere(drivers, await siteOf(a)))?.name;
  t.is(await here(), undefined);
  a.write('/var/lib/nfs/etab', '/mnt/vol1\t*(rw,fsid=1234)\n');
  t.is(await here(), 'nlm-fsid', 'it exports as lockd does');
  configure(a, ...driver('lockd'));
  t.is(await here(), 'lockd');
  makeInstance(a);
  t.is(await here(), 'lockd-netns');
  a.write('/var/lib/nfs/etab', '');
  rmSync(a.path(`/run/netns/nfs-${address}`));
  t.is(await here(), 'lockd', 'the node itself can be asked through it');
  configure(a, 'driver = "lockd"', 'driver = "lockd-netns"');
  t.is(await here(), undefined, 'there is no instance to ask');
});

test('everything that a host lacks for an instance is said at once', async (t) => {
  // As on a kernel without nfsd: neither registered nor a module, and no program says otherwise.
  const host: Host = {
    ...realHost,
    readText: () => '',
    run: async () => ({ exitCode: 1, stdout: '', stderr: '' }),
  };
  const reasons = await instanceLacks(host, { kind: 'macvlan', parent: 'absent0' });
  t.true(reasons.includes('no nfsd in this kernel'), reasons.join('; '));
  t.true(reasons.includes('no network interface absent0'), reasons.join('; '));
  for (const [link, reason] of [
    [{ kind: 'macvlan', parent: 'lo' }, 'no macvlan can be on lo, which is no Ethernet'],
    [{ kind: 'ipvlan', parent: 'lo' }, 'no ipvlan can be on lo, which is no Ethernet'],
    [{ kind: 'veth', parent: 'absent0', bridge: 'lo' }, 'lo is no bridge'],
    [{ kind: 'veth', parent: 'lo', bridge: 'absent0' }, 'no network interface absent0'],
  ] as const)
    t.true((await instanceLacks(host, link)).includes(reason), reason);
});

test('what the server of a host lacks to be started anew for lockd is said at once, and only where it is to be', async (t) => {
  const host: Host = {
    ...realHost,
    readText: () => '',
    run: async () => ({ exitCode: 1, stdout: '', stderr: '' }),
  };
  const site = { ...(await siteOf(node(t))), host };
  t.deepEqual(await lockdModule.lacks(site, { takesOver: true }), [
    'no nfsd in this kernel',
    'start-nfsd (restart in [lock_manager]) not installed',
  ]);
  t.deepEqual(await lockdModule.lacks(site, { takesOver: false }), []);
});
