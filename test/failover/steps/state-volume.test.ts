// B-1 and A-4 of an address with a state volume: what is mounted when, what is left where another node has the address, and what a
// record that clients reach through the back door is answered.
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { FailoverContext } from '../../../src/failover/context.js';
import { exposures } from '../../../src/failover/access/exposure.js';
import { takeover as runTakeover } from '../../../src/failover/operations/takeover.js';
import { planTakeover } from '../../../src/failover/plan.js';
import type { Host } from '../../../src/host/host.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { runHere } from '../../fault/site.js';
import { rehearsalContext } from '../../helpers/rehearsal-context.js';
import {
  makeRehearsal,
  type RehearsalNode,
  type RehearsalOptions,
  type RehearsalSite,
} from '../../helpers/rehearsal-site.js';
import { jsonLines } from '../../helpers/rehearsal-steps.js';

const address = '127.77.41.1';

function makeSite(t: ExecutionContext, options: Partial<RehearsalOptions> = {}): RehearsalSite {
  const site = makeRehearsal({ address, rpcbindPort: 1, fsids: [1234, 5678], ...options });
  t.teardown(() => site.remove());
  return site;
}

function configure(node: RehearsalNode, from: string | RegExp, to: string): void {
  node.write('/etc/nlm-failover.toml', node.read('/etc/nlm-failover.toml').replace(from, to));
}

const takeover = ['takeover', address, '--no-wait'];

function mounted(node: RehearsalNode): string[] {
  return node
    .read('/proc/self/mountinfo')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? []);
}

/** Of one step, as --dry-run --json has them. */
function commandsOf(stdout: string, step: string): readonly string[] {
  const lines = jsonLines(stdout) as readonly { step?: string; commands?: string[] }[];
  return lines.find((line) => line.step === step)?.commands ?? [];
}

async function succeed(t: ExecutionContext, site: RehearsalSite, node: 'A' | 'B', args: readonly string[]) {
  const ended = await runHere(site.directory, node, args);
  t.is(ended.exitCode, 0, ended.output);
  return ended;
}

test('mounted first and unmounted last, wherever the file has it', async (t) => {
  const site = makeSite(t);
  const { a } = site;
  const text = a.read('/etc/nlm-failover.toml');
  const [head = '', state = '', ...exported] = text.split('  [[floating_ip.filesystem]]\n');
  a.write('/etc/nlm-failover.toml', [head, ...exported, state].join('\n  [[floating_ip.filesystem]]\n'));
  const { stdout } = await a.here(['takeover', address, '--dry-run', '--json']);
  const commands = commandsOf(stdout, 'B-1').filter((line) => /^(?:mount|# this node becomes)/.test(line));
  t.deepEqual(
    commands.map((line) => line.split(' ').slice(0, 4).join(' ')),
    [
      'mount -t ext4 /dev/state1',
      '# this node becomes',
      'mount -t ext4 /dev/vol1',
      'mount -t ext4 /dev/vol2',
    ],
  );
  await succeed(t, site, 'A', takeover);
  t.deepEqual(mounted(a), ['/mnt/state1', '/mnt/vol1', '/mnt/vol2']);
  const release = await a.here(['release', address, '--dry-run', '--json']);
  t.deepEqual(
    commandsOf(release.stdout, 'A-4').filter((line) => line.startsWith('umount')),
    ['umount /mnt/vol2', 'umount /mnt/vol1', 'umount /mnt/state1'],
  );
  await succeed(t, site, 'A', ['release', address]);
  t.deepEqual(mounted(a), []);
});

for (const type of ['ext4', 'xfs']) {
  test(`another node has the address: its ${type} volumes are not touched, and nothing stays mounted`, async (t) => {
    const site = makeSite(t);
    for (const node of [site.a, site.b])
      configure(node, /(mountpoint = "\/mnt\/vol[12]"\n {2}type = ")ext4/g, `$1${type}`);
    await succeed(t, site, 'A', takeover);
    const before = site.a.read('/proc/self/mountinfo');
    const refused = await runHere(site.directory, 'B', takeover);
    t.is(refused.exitCode, 4);
    t.regex(refused.output, /"NOT_RELEASED"/);
    t.deepEqual(mounted(site.b), []);
    t.is(site.a.read('/proc/self/mountinfo'), before);
    await succeed(t, site, 'A', ['release', address]);
    await succeed(t, site, 'B', takeover);
  });
}

test('what was mounted before stays: this command did not mount it', async (t) => {
  const site = makeSite(t);
  await succeed(t, site, 'A', takeover);
  const table = site.a.read('/proc/self/mountinfo');
  site.b.write(
    '/proc/self/mountinfo',
    `${table.split('\n').find((line) => line.includes('state1')) ?? ''}\n`,
  );
  t.is((await runHere(site.directory, 'B', takeover)).exitCode, 4);
  t.deepEqual(mounted(site.b), ['/mnt/state1']);
});

test('a volume that another node still has mounted: what was claimed goes back, and nothing stays mounted', async (t) => {
  const site = makeSite(t);
  await succeed(t, site, 'A', takeover);
  await succeed(t, site, 'A', ['release', address]);
  // As of a file system with a journal that was not unmounted: see superblock.ts.
  const dirty = Buffer.alloc(4096);
  dirty.writeUInt16LE(0xef53, 1024 + 0x38);
  dirty.writeUInt32LE(0x4, 1024 + 0x5c);
  dirty.writeUInt32LE(0x4, 1024 + 0x60);
  const plain = rehearsalHost(site.b.root);
  const host: Host = {
    ...plain,
    run: async (argv, options) => {
      if (argv[0] === 'umount' && argv[1] === '/mnt/state1')
        t.is(context.session.record, undefined, 'no file of the record is open, which would keep it busy');
      return argv[0] === 'dd' && argv[1]?.endsWith('/dev/vol2') === true
        ? { exitCode: 0, stdout: dirty.toString('latin1'), stderr: '' }
        : plain.run(argv, options);
    },
  };
  const context: FailoverContext = await rehearsalContext(site.b, { host });
  const plan = planTakeover(context.floatingIp, context.driver, { node: 'B', order: 'safe' });
  const silent = { begin: () => undefined, end: () => undefined };
  await t.throwsAsync(runTakeover(plan, context, silent), { code: 'DEVICE_IN_USE' });
  t.deepEqual(mounted(site.b), []);
  // A did not have to be told: B owns nothing that it would have to release.
  const back = await succeed(t, site, 'A', takeover);
  t.regex(back.output, /epoch 3, after B/);
});

for (const [type, code] of [
  ['xfs', 4],
  ['btrfs', 4],
  ['ext4', 0],
] as const) {
  test(`the record on an exported ${type}: nobody knows before the mount who has it`, async (t) => {
    const site = makeSite(t, { stateDirectory: '/mnt/vol1/.nlm', fsids: [1234] });
    for (const node of [site.a, site.b]) configure(node, 'type = "ext4"', `type = "${type}"`);
    const first = await runHere(site.directory, 'A', takeover);
    t.is(first.exitCode, code, first.output);
    if (code === 0) return;
    t.regex(first.output, new RegExp(`"OWNER_UNKNOWN".*${type} does not show`));
    t.deepEqual(mounted(site.a), []);
    await succeed(t, site, 'A', [...takeover, '--fenced']);
    const refused = await runHere(site.directory, 'B', takeover);
    t.is(refused.exitCode, 4);
    t.deepEqual(mounted(site.b), [], 'A serves, and nothing was mounted a second time');
    // Where it is mounted already, as by a cluster manager, the record says the rest.
    await succeed(t, site, 'A', takeover);
  });
}

/** All mount points of the address lie on a file system of the node's own. */
function mountAbove(node: RehearsalNode): void {
  for (const one of ['state1', 'vol1', 'vol2']) mkdirSync(node.path(`/dev/sda1/${one}`), { recursive: true });
  node.write(
    '/proc/self/mountinfo',
    `${node.read('/proc/self/mountinfo')}1 0 8:1 / /mnt rw - ext4 /dev/sda1 rw\n`,
  );
}

/** Ways on which a client gets to a record that the configuration does not show. */
const backDoors: Readonly<Record<string, (site: RehearsalSite) => void>> = {
  'its file system is exported under another name': ({ a }) => {
    a.write('/proc/self/mountinfo', '1 0 9:1 / /export/bound rw - ext4 /dev/state1 rw\n');
    a.write('/var/lib/nfs/etab', '/export/bound\t10.0.0.0/8(rw,sync,sec=sys)\n');
  },
  'beside what is exported of it': ({ a }) => {
    a.write('/proc/self/mountinfo', '1 0 9:1 / /export rw - ext4 /dev/state1 rw\n');
    a.write('/var/lib/nfs/etab', '/export/deep/below\t*(ro,subtree_check)\n');
  },
  'crossmnt of what it is mounted below': ({ a }) => {
    mountAbove(a);
    a.write('/var/lib/nfs/etab', '/mnt\t*(rw,crossmnt)\n');
  },
  'crossmnt of what a bind mount of it lies below': ({ a }) => {
    a.write('/proc/self/mountinfo', '1 0 9:1 / /export/x rw - ext4 /dev/state1 rw\n');
    a.write('/var/lib/nfs/etab', '/export\t*(rw,crossmnt)\n');
  },
};
for (const [what, open] of Object.entries(backDoors)) {
  test(`a record that clients reach: ${what}`, async (t) => {
    const site = makeSite(t);
    open(site);
    const before = mounted(site.a);
    const refused = await runHere(site.directory, 'A', takeover);
    t.is(refused.exitCode, 3, refused.output);
    t.regex(refused.output, /"RECORD_EXPOSED".*each of them could erase it/);
    t.deepEqual(mounted(site.a), before);
    t.false(existsSync(path.join(site.directory, 'disks/state1', `sm_${address}`, 'monitors.db')));
    configure(site.a, /^address = .*$/m, '$&\ntrust_clients = true');
    await succeed(t, site, 'A', takeover);
  });
}

test('what is exported by Kerberos alone is no way to it, nor is another file system', async (t) => {
  const site = makeSite(t);
  site.a.write('/proc/self/mountinfo', '1 0 9:1 / /export/bound rw - ext4 /dev/state1 rw\n');
  mountAbove(site.a);
  site.a.write('/var/lib/nfs/etab', '/export/bound\t*(rw,sec=krb5p)\n/mnt\t*(rw,sec=sys)\n');
  await succeed(t, site, 'A', takeover);
});

test('nfs-server exports the record as B-2 starts it: nothing more is exported, and nothing served well', async (t) => {
  const site = makeSite(t);
  const { a } = site;
  const plain = rehearsalHost(a.root);
  const host: Host = {
    ...plain,
    run: async (argv, options) => {
      // As exportfs -r of nfs-server.service, where /etc/exports has it.
      if (argv[0] === 'start-nfsd') a.write('/var/lib/nfs/etab', '/mnt/state1\t*(rw,sync,sec=sys)\n');
      return plain.run(argv, options);
    },
  };
  const context: FailoverContext = await rehearsalContext(a, { host });
  const plan = planTakeover(context.floatingIp, context.driver, { node: 'A', order: 'safe' });
  const silent = { begin: () => undefined, end: () => undefined };
  await t.throwsAsync(runTakeover(plan, context, silent), { code: 'RECORD_EXPOSED' });
  t.notRegex(a.read('/var/lib/nfs/etab'), /vol1/);
  await succeed(t, site, 'A', ['release', address]);
  a.write('/var/lib/nfs/etab', '');
  await succeed(t, site, 'A', takeover);
  a.write('/var/lib/nfs/etab', `${a.read('/var/lib/nfs/etab')}/mnt/state1\t*(rw,sync,sec=sys)\n`);
  const status = await runHere(site.directory, 'A', ['status', '--is-served', address]);
  t.is(status.exitCode, 1, status.output);
  t.regex(
    status.output,
    /"ill":\["clients with AUTH_SYS or an anonuid reach its record through the export of \/mnt\/state1/,
  );
});

test('what the instance of the address exports is a way to it too', async (t) => {
  const site = makeSite(t);
  site.a.write('/proc/self/mountinfo', '1 0 9:1 / /mnt/state1 rw - ext4 /dev/state1 rw\n');
  const context = await rehearsalContext(site.a);
  const { driver } = context;
  const inside = { path: '/mnt/state1', clients: '*', options: ['rw', 'sec=sys'] };
  const current = async () => [inside];
  const place = { ...context, driver: { ...driver, exports: { ...driver.exports, current } } };
  t.deepEqual(await exposures(place), ['/mnt/state1 (*)']);
  t.deepEqual(await exposures(context), []);
});

test('a record that is exposed while the other volumes are mounted: nothing stays, and no grace is entered', async (t) => {
  const site = makeSite(t);
  const plain = rehearsalHost(site.a.root);
  const host: Host = {
    ...plain,
    run: async (argv, options) => {
      // As a mount unit, or somebody's hook, may have it.
      if (argv[0] === 'mount' && argv.includes('/mnt/vol2'))
        site.a.write('/var/lib/nfs/etab', '/mnt/state1\t*(rw,sync,sec=sys)\n');
      return plain.run(argv, options);
    },
  };
  const context: FailoverContext = await rehearsalContext(site.a, { host });
  const plan = planTakeover(context.floatingIp, context.driver, { node: 'A', order: 'safe' });
  const begun: string[] = [];
  const reporter = { begin: ({ name }: { name: string }) => void begun.push(name), end: () => undefined };
  await t.throwsAsync(runTakeover(plan, context, reporter), { code: 'RECORD_EXPOSED' });
  t.deepEqual(begun, ['B-1']);
  t.deepEqual(mounted(site.a), []);
});

test('a record that can be reached already, and is exposed: refused before anything is begun', async (t) => {
  const site = makeSite(t);
  site.a.write('/proc/self/mountinfo', '1 0 9:1 / /mnt/state1 rw - ext4 /dev/state1 rw\n');
  site.a.write('/var/lib/nfs/etab', '/mnt/state1\t*(rw,sync,sec=sys)\n');
  for (const steps of [[], ['--steps', 'B-2'], ['--steps', 'B-5']]) {
    const refused = await runHere(site.directory, 'A', [...takeover, ...steps]);
    t.is(refused.exitCode, 3, refused.output);
    t.regex(refused.output, /"RECORD_EXPOSED"/);
    t.notRegex(refused.output, /"step"/, 'no step was begun');
  }
  t.deepEqual(mounted(site.a), ['/mnt/state1']);
  t.false(existsSync(path.join(site.directory, 'disks/state1', `sm_${address}`, 'monitors.db')));
});

test('shared storage that somebody exports while the address is served: the next takeover says so', async (t) => {
  const site = makeSite(t, { stateDirectory: '/shared/nlm' });
  const shared = path.join(site.directory, 'shared');
  mkdirSync(path.join(shared, 'nlm'), { recursive: true });
  symlinkSync(shared, site.a.path('/dev/shared'));
  site.a.write('/proc/self/mountinfo', '1 0 0:9 / /shared rw - gfs2 /dev/shared rw\n');
  await succeed(t, site, 'A', takeover);
  site.a.write('/var/lib/nfs/etab', `${site.a.read('/var/lib/nfs/etab')}/shared/others\t*(rw)\n`);
  const steps = await runHere(site.directory, 'A', [...takeover, '--steps', 'B-3']);
  t.is(steps.exitCode, 3, steps.output);
  const refused = await runHere(site.directory, 'A', takeover);
  t.is(refused.exitCode, 3, refused.output);
  t.regex(refused.output, /at \/shared\/others \(\*\): each of them could erase it/);
  const status = await runHere(site.directory, 'A', ['status', address]);
  t.is(status.exitCode, 1);
  t.regex(
    status.output,
    /reach its record through the export of \/shared\/others \(\*\), and could erase it/,
  );
});
