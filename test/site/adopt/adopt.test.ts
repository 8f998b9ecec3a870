// An address that is served already comes under control: nobody waits, nobody is notified, and the next failover notifies everybody.
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { FailoverContext } from '../../../src/failover/context.js';
import type { Plan } from '../../../src/failover/steps/steps.js';
import { FailoverError } from '../../../src/errors.js';
import type { Action } from '../../../src/host/action.js';
import { NameLookup } from '../../../src/nsm/notify/name-lookup.js';
import { isRecording } from '../../../src/rundir/serving.js';
import { adopt } from '../../../src/site/adopt/adopt.js';
import { unresolved } from '../../../src/site/adopt/unknown-clients.js';
import { planAdopt } from '../../../src/site/adopt/plan.js';
import { startLoopbackClient } from '../../demo/loopback-client.js';
import { rehearsalContext } from '../../helpers/rehearsal-context.js';
import { makeRehearsal, type RehearsalNode, type RehearsalOptions } from '../../helpers/rehearsal-site.js';
import { addClient, jsonLines } from '../../helpers/rehearsal-steps.js';
import { drawSites } from '../../lab/sites/draw.js';
import { LabSite } from '../../lab/sites/lab-site.js';
import { describeSite } from '../../lab/sites/scenarios.js';
import { treeOf } from '../../helpers/tree.js';

const address = '127.77.31.1';
let nextClient = 20;

/** A node as stock services leave it: the volumes of the address are mounted and exported, it is up, nfsd runs, a lock is held. */
function serve(node: RehearsalNode, fsids: readonly number[], options = 'rw,no_subtree_check'): void {
  const rows = fsids.map(
    (_, index) => `1 0 7:${index + 1} / /mnt/vol${index + 1} rw - ext4 /dev/vol${index + 1} rw\n`,
  );
  node.write('/proc/self/mountinfo', rows.join(''));
  const entries = fsids.map((fsid, index) => `/mnt/vol${index + 1}\t*(${options},fsid=${fsid})\n`);
  node.write('/var/lib/nfs/etab', entries.join(''));
  node.write(
    '/addresses.json',
    JSON.stringify([
      {
        ifname: 'eth0',
        addr_info: [
          { local: '192.0.2.200', prefixlen: 24 },
          { local: address, prefixlen: 24 },
        ],
      },
    ]),
  );
  node.write('/proc/fs/nfsd/threads', '8\n');
  node.write('/proc/locks', '1: POSIX  ADVISORY  WRITE 4194305 07:01:12 0 EOF\n');
}

async function fixture(t: ExecutionContext, more: Partial<RehearsalOptions> = {}) {
  nextClient += 1;
  let notified = 0;
  const client = await startLoopbackClient(`127.77.31.${nextClient}`, 0, () => (notified += 1));
  const fsids = more.fsids ?? [1234];
  const site = makeRehearsal({ address, rpcbindPort: client.port, fsids, ...more });
  t.teardown(() => {
    client.close();
    site.remove();
  });
  const { stateDirectory } = more;
  if (stateDirectory === '/shared') {
    mkdirSync(path.join(site.directory, stateDirectory));
    for (const node of [site.a, site.b]) node.link(stateDirectory, path.join(site.directory, stateDirectory));
  }
  serve(site.a, fsids);
  // As rpc.statd names the file by the host's name, and its line has the name that the callout is given.
  const line = `0100007f 000186b5 00000003 00000010 ${'0'.repeat(32)} ${client.address} A\n`;
  site.a.write('/var/lib/nfs/sm/client.example.com', line);
  return { ...site, client, fsids, notified: () => notified };
}

async function run(node: RehearsalNode, ...args: string[]) {
  const result = await node.here([...args, ...(args[0] === 'takeover' ? ['--no-wait'] : []), '--json']);
  return { ...result, lines: jsonLines(result.stdout) };
}

const states = ({ lines }: { lines: ReturnType<typeof jsonLines> }) =>
  lines.map(({ state, result }) => state ?? result);

/** What clients would notice. */
const seen = (node: RehearsalNode) =>
  [
    '/proc/locks',
    '/var/lib/nfs/etab',
    '/addresses.json',
    '/proc/fs/nfsd/threads',
    '/proc/fs/lockd/nlm_end_grace',
  ].map((file) => node.read(file));

for (const [where, more] of [
  ['a state volume', {}],
  ['the exported volume', { stateDirectory: '/mnt/vol1/.nlm', fsids: [1234, 5678] }],
] as const) {
  test(`adopt, and the failover after it, with the record on ${where}`, async (t) => {
    const { a, b, client, fsids, notified } = await fixture(t, { ...more });
    const before = seen(a);
    const adopted = await run(a, 'adopt', address);
    t.is(adopted.exitCode, 0, adopted.stderr + adopted.stdout);
    t.deepEqual(states(adopted), ['done', ...fsids.map(() => 'done'), 'done', 'done']);
    t.deepEqual(seen(a), before, 'nothing that a client would notice');
    t.is(notified(), 0);
    t.regex(adopted.stdout, /1 client recorded, .*; 1 lock held/);
    t.regex(
      (await a.here(['clients', address])).stdout,
      new RegExp(`${address} +1234 +${client.address} +A`),
    );
    const status = await a.here(['status', address]);
    t.is(status.exitCode, 0, status.stdout);
    t.regex(status.stdout, /served here\n {2}owner +A, epoch 1\n/);
    const journal = `/${where === 'a state volume' ? 'mnt/state1' : 'mnt/vol1/.nlm'}/sm_${address}/journal.A`;
    addClient(a, '127.77.31.99');
    t.regex(a.read(journal), / add-client 127\.77\.31\.99 /, 'recording is on');
    addClient(a, '127.77.31.99', 'del-client');

    // Again, and as takeover sees it: there is nothing to do.
    t.deepEqual(new Set(states(await run(a, 'adopt', address)).slice(0, -1)), new Set(['skipped']));
    t.deepEqual(new Set(states(await run(a, 'takeover', address)).slice(0, -1)), new Set(['skipped']));
    t.deepEqual(seen(a), before);

    const released = await run(a, 'release', address);
    t.is(released.exitCode, 0, released.stderr);
    t.regex(released.stdout, /1 lock held/);
    t.is(a.read('/proc/self/mountinfo'), '');
    t.is(a.read('/var/lib/nfs/etab'), '');
    t.is(notified(), 0);
    const taken = await run(b, 'takeover', address);
    t.deepEqual(taken.lines.at(-1)?.clients, { notified: 1, notNotified: 0 });
    t.true(notified() > 0);
  });
}

test('nlm-fsid: no fsid is written, now or by the takeover after it', async (t) => {
  const { a } = await fixture(t, { fsids: [1234, 5678] });
  for (const file of ['nlm_unlock', 'nlm_set_ip_grace']) a.write(`/proc/fs/nfsd/${file}`, '');
  t.is((await run(a, 'adopt', address)).exitCode, 0);
  t.deepEqual(new Set(states(await run(a, 'takeover', address)).slice(0, -1)), new Set(['skipped']));
  for (const file of ['nlm_unlock', 'nlm_set_ip_grace']) t.is(a.read(`/proc/fs/nfsd/${file}`), '');
  // The rehearsal's kernel drops none by their fsid.
  a.write('/proc/locks', '');
  t.is((await run(a, 'release', address)).exitCode, 0);
  t.is(a.read('/proc/fs/nfsd/nlm_unlock'), '1234\n5678\n');
});

const config = '/etc/nlm-failover.toml';
const edit = (node: RehearsalNode, file: string, from: string | RegExp, to: string) => {
  const text = node.read(file);
  const changed = text.replace(from, to);
  if (changed === text) throw new Error(`${file} has no ${String(from)}`);
  node.write(file, changed);
};

/** What is otherwise than the configuration says, and what is said of it. */
const differences: readonly (readonly [what: string, make: (node: RehearsalNode) => void, said: RegExp])[] = [
  [
    'the address is not up',
    (node) => node.write('/addresses.json', '[]'),
    /127\.77\.31\.1 is not up on this node/,
  ],
  [
    'another interface',
    (node) => edit(node, config, '"eth0"', '"eth1"'),
    /is up on eth0, and the configuration says eth1\n.*Correct "interface"/,
  ],
  ['another prefix length', (node) => edit(node, config, '/24"', '/25"'), /prefix length 24, .* says 25/],
  ['not mounted', (node) => node.write('/proc/self/mountinfo', ''), /Nothing is mounted on \/mnt\/vol1/],
  [
    'another device',
    (node) => edit(node, config, '"/dev/vol1"', '"/dev/state1x"'),
    /\/mnt\/vol1 has \/dev\/vol1 mounted, and the configuration says \/dev\/state1x/,
  ],
  [
    'read-only',
    (node) => edit(node, '/proc/self/mountinfo', / rw\n$/, ' ro\n'),
    /\/dev\/vol1 is mounted read-only on \/mnt\/vol1/,
  ],
  [
    'another type',
    (node) => edit(node, '/proc/self/mountinfo', ' ext4 ', ' xfs '),
    /type xfs, and the configuration says ext4: another node could not mount it/,
  ],
  ['not exported', (node) => node.write('/var/lib/nfs/etab', ''), /\/mnt\/vol1 is not exported/],
  [
    'another fsid',
    (node) => edit(node, '/var/lib/nfs/etab', 'fsid=1234', 'fsid=77'),
    /exported with fsid=77, and the configuration says 1234: .* stale\n.*Write that fsid/,
  ],
  [
    'no fsid',
    (node) => edit(node, '/var/lib/nfs/etab', ',fsid=1234', ''),
    /exported without fsid=, and the configuration says 1234: .* stale/,
  ],
  ['nfsd is down', (node) => node.write('/proc/fs/nfsd/threads', '0\n'), /nfsd does not run on this node/],
];

/** The command, in this process. */
async function adoptHere(node: RehearsalNode, planned: (plan: Plan) => Plan = (plan) => plan) {
  const context = await rehearsalContext(node);
  const { floatingIp, driver } = context;
  const plan = planned(planAdopt(floatingIp, driver, { node: 'A', clients: [] }));
  return adopt(plan, context, { begin: () => undefined, end: () => undefined });
}

for (const [what, make, said] of differences) {
  test(`${what}: refused, named, and nothing made`, async (t) => {
    const { a, directory } = await fixture(t, { stateDirectory: '/shared' });
    make(a);
    const disks = () => treeOf(path.join(directory, 'disks'));
    const before = [disks(), seen(a), a.read('/proc/self/mountinfo')];
    const error = await t.throwsAsync(adoptHere(a), { instanceOf: FailoverError });
    t.is(error?.exitCode, 3);
    t.regex(`${error?.message ?? ''}\n  ${error?.hint ?? ''}`, said);
    t.deepEqual([disks(), seen(a), a.read('/proc/self/mountinfo')], before);
    t.false(existsSync(a.path(`/shared/sm_${address}`)));
  });
}

test('all differences are said at once, by --dry-run too', async (t) => {
  const { a } = await fixture(t);
  for (const [what, make] of differences) if (/^another (interface|fsid)|down/.test(what)) make(a);
  for (const more of [[], ['--dry-run']]) {
    const { exitCode, stderr } = await a.here(['adopt', address, ...more]);
    t.is(exitCode, 3);
    t.regex(stderr, /^nlm-failover: adopt 127\.77\.31\.1: 3 things stand in its way:/);
  }
});

test('--dry-run prints what it would do, and touches nothing', async (t) => {
  const { a, directory } = await fixture(t);
  const disks = () => treeOf(path.join(directory, 'disks'));
  const before = [disks(), seen(a), a.read('/proc/self/mountinfo')];
  const { exitCode, stdout, stderr } = await a.here(['adopt', address, '--dry-run']);
  t.is(exitCode, 0, stderr);
  t.regex(
    stdout,
    /^adopt 127\.77\.31\.1 on A, lock manager lockd \(auto: .*\nB-1 {2}record: \/mnt\/state1\/sm_127\.77\.31\.1\n/,
  );
  t.regex(
    stdout,
    / {5}mount -t ext4 \/dev\/state1 \/mnt\/state1\n[^]*B-2 {2}recording: fsid 1234[^]* {5}ln -sfn /,
  );
  t.notRegex(stdout, /start-nfsd|threads|\/dev\/vol1|exportfs -[iuf]|NOTE/);
  t.deepEqual([disks(), seen(a), a.read('/proc/self/mountinfo')], before);
  t.false(existsSync(path.join(a.root, 'run/nlm-failover')));
});

test('killed in any of its actions, before its effect or after, it goes on', async (t) => {
  t.timeout(120_000);
  let strikes = 0;
  for (let at = 0; ; at += 1) {
    let actions = 0;
    for (const isAfter of [false, true]) {
      const site = await fixture(t);
      const { a, client, notified } = site;
      const before = seen(a);
      let struck = false;
      const strike = (action: Action<FailoverContext>): Action<FailoverContext> => {
        const number = (actions += 1);
        const act = async (context: FailoverContext) => {
          if (number !== at + 1) return action.act(context);
          struck = true;
          if (isAfter) await action.act(context);
          throw new Error('killed');
        };
        return { ...action, act };
      };
      actions = 0;
      const planned = (plan: Plan): Plan => ({
        ...plan,
        steps: plan.steps.map((step) => ({ ...step, actions: step.actions.map((one) => strike(one)) })),
      });
      await adoptHere(a, planned).catch((error: Error) => t.is(error.message, 'killed'));
      if (struck) strikes += 1;
      t.is((await adoptHere(a)).outcome, 'done');
      const again = await rehearsalContext(a);
      const record = again.session.open({ create: false });
      t.deepEqual(record?.clientNames(), [client.address]);
      t.like(record?.ownership(), { owner: 'A', epoch: 1, released: false });
      again.session.close();
      t.deepEqual(seen(a), before);
      t.is(notified(), 0);
      site.remove();
    }
    if (at >= actions) break;
  }
  t.true(strikes >= 8, String(strikes));
});

test('what keeps the locks is a note: options, other clients, whom nobody knows; --client records those', async (t) => {
  const { a } = await fixture(t);
  serve(a, [1234], 'ro,root_squash');
  a.write('/var/lib/nfs/etab', `${a.read('/var/lib/nfs/etab')}/mnt/vol1\t10.0.0.0/8(rw,fsid=1234)\n`);
  rmSm(a);
  const { exitCode, stdout, stderr } = await a.here(['adopt', address]);
  t.is(exitCode, 0, stderr);
  for (const note of [
    /NOTE: \/mnt\/vol1 is exported to \* without rw,no_subtree_check/,
    /NOTE: \/mnt\/vol1 is exported to 10\.0\.0\.0\/8 too/,
    /NOTE: 1 lock is held here, and rpc\.statd monitors nobody\. .*--client/,
    /NOTE: From now on .*\/etc\/fstab/,
  ])
    t.regex(stdout, note);
  const named = await a.here(['adopt', address, '--client', '10.9.9.9', '--client', 'host.example.com']);
  t.is(named.exitCode, 0, named.stderr);
  t.notRegex(named.stdout, /monitors nobody/);
  const clients = await a.here(['clients', address]);
  t.regex(clients.stdout, /10\.9\.9\.9[^]*host\.example\.com/);
  t.is((await a.here(['adopt', address, '--client', '../x'])).exitCode, 2);
  for (const own of [address, 'NFS.example.com', 'nfs']) {
    const itself = await a.here(['adopt', address, '--client', own]);
    t.is(itself.exitCode, 2, own);
    t.regex(itself.stderr, /is the floating IP itself, and no client of it/);
  }
});

function rmSm(node: RehearsalNode): void {
  node.remove('/var/lib/nfs/sm/client.example.com');
}

test('a record that is another node’s, or was released, is refused: exit code 4', async (t) => {
  for (const more of [{}, { stateDirectory: '/shared' }]) {
    const { a, b } = await fixture(t, more);
    t.is((await adoptHere(a)).outcome, 'done');
    // Both nodes as after a mistake: B serves by stock means what A has.
    serve(b, [1234]);
    const owned = await b.here(['adopt', address]);
    t.is(owned.exitCode, 4, owned.stdout);
    t.regex(
      owned.stderr,
      /A owns the address \(epoch 1\) and has not released it|has it mounted|was not unmounted/,
    );
    t.false(b.read('/proc/self/mountinfo').includes('/dev/state1'), 'the state volume is unmounted again');
    t.is((await run(a, 'release', address)).exitCode, 0);
    const released = await b.here(['adopt', address]);
    t.is(released.exitCode, 4, released.stdout);
    t.regex(
      released.stderr,
      /There is a record of .* node A has released it \(epoch 1\)[^]*nlm-failover takeover/,
    );
    t.false(b.read('/proc/self/mountinfo').includes('/dev/state1'));
  }
});

test('a driver that serves from an instance is refused, with what to do', async (t) => {
  const { a } = await fixture(t);
  edit(a, config, '[lock_manager]', '[lock_manager]\ndriver = "lockd-netns"');
  const { exitCode, stderr } = await a.here(['adopt', address]);
  t.is(exitCode, 3);
  t.regex(stderr, /instance[^]*Set \[lock_manager\]\.driver to "auto", and run adopt again/);
  a.write('/addresses.json', '[]');
  a.write('/var/lib/nfs/etab', '');
  t.regex((await a.here(['adopt', address])).stderr, /driver/);
});

test('what others manage is as they have it', async (t) => {
  const { a } = await fixture(t);
  edit(a, config, 'names = ', 'managed_by_others = ["mount", "export", "address"]\nnames = ');
  edit(a, config, '    options = "rw,no_subtree_check"\n', '');
  edit(a, '/proc/self/mountinfo', ' ext4 ', ' zfs ');
  a.write(
    '/proc/self/mountinfo',
    `${a.read('/proc/self/mountinfo')}1 0 9:1 / /mnt/state1 rw - ext4 /dev/state1 rw\n`,
  );
  const { exitCode, stderr, stdout } = await a.here(['adopt', address]);
  t.is(exitCode, 0, stderr);
  t.notRegex(stdout, /type/);
});

test('names that the name service does not have, or has not in time, are those that nobody could notify', async (t) => {
  t.deepEqual(
    await unresolved(['localhost', '10.1.1.1', 'fd00::1', 'no-such-client.invalid', '../x'], 4, 30_000),
    ['no-such-client.invalid'],
  );
  const silent = new NameLookup(() => new Promise(() => undefined));
  t.deepEqual(await unresolved(['localhost'], 4, 10, silent), ['localhost']);
});

test('whoever takes a lock while adopt reads the list is recorded: the link is there before the list is read', async (t) => {
  const { a } = await fixture(t);
  const late = '10.8.8.8';
  const context = await rehearsalContext(a);
  const { driver, floatingIp, run: links } = context;
  const seenLinked: boolean[] = [];
  const watching = {
    ...driver,
    monitored: async () => {
      const isLinked = isRecording(links, address);
      seenLinked.push(isLinked);
      // Its callout found no link; statd has it on its list a moment later.
      if (isLinked) a.write(`/var/lib/nfs/sm/${late}`, '');
      return driver.monitored();
    },
  };
  const plan = planAdopt(floatingIp, watching, { node: 'A', clients: [] });
  await adopt(plan, { ...context, driver: watching }, { begin: () => undefined, end: () => undefined });
  t.true(seenLinked.includes(false) && seenLinked.includes(true));
  t.regex((await a.here(['clients', address])).stdout, /10\.8\.8\.8/);
});

test('where rpc.statd runs no callout of ours nothing is made', async (t) => {
  const { a } = await fixture(t, { stateDirectory: '/shared' });
  const context = await rehearsalContext(a);
  const fault = { message: 'rpc.statd runs no callout', hint: 'nlm-failover setup' };
  const driver = { ...context.driver, calloutFault: async () => fault };
  const plan = planAdopt(context.floatingIp, driver, { node: 'A', clients: [] });
  const silent = { begin: () => undefined, end: () => undefined };
  await t.throwsAsync(adopt(plan, { ...context, driver }, silent), { message: fault.message });
  t.false(existsSync(a.path(`/shared/sm_${address}`)));
});

/** As exportfs writes a client in etab: an address or network without brackets. */
const spelt = (clients: string) => clients.replaceAll(/[[\]]/g, '');
const numbers = Array.from({ length: 8 }, (_, index) => index + 1);
const sites = drawSites(
  Object.fromEntries(
    numbers.map((number) => [`site ${number}`, { device: ['node'], nfsConf: ['none'] } as const]),
  ),
);

test('other people’s sites: IPv6, blanks and links in paths, several clients, the record on each place', async (t) => {
  t.timeout(60_000);
  for (const [title, traits] of sites) {
    const site = new LabSite({
      ...traits,
      mountpoint: traits.mountpoint === 'link' ? 'space' : traits.mountpoint,
    });
    const own = traits.family === 'IPv6' ? 'fd77:31::1' : address;
    const rehearsal = makeRehearsal({ address: own, rpcbindPort: 1 });
    t.teardown(() => rehearsal.remove());
    const { a, directory } = rehearsal;
    mkdirSync(path.join(directory, 'disks/vol1/data'));
    const mountpoint = site.mountpoint('vol1');
    mkdirSync(a.path(mountpoint), { recursive: true });
    const state =
      traits.state === 'exported'
        ? `state_directory = "${mountpoint}/.nlm"\ntrust_clients = true\n`
        : 'state_directory = "/mnt/state1"\n[[floating_ip.filesystem]]\ndevice = "/dev/state1"\nmountpoint = "/mnt/state1"\ntype = "ext4"\n';
    const head = `node = "A"\n[[floating_ip]]\naddress = "${own}/${own.includes(':') ? 64 : 24}"\ninterface = "eth0"\n${state}`;
    a.write(config, head + site.filesystemText('vol1', '/dev/vol1', 1234));
    const octal = (text: string) =>
      Buffer.from(text)
        .toString('latin1')
        .replaceAll(/[ \u0080-\u00ff]/g, (one) => `\\${one.charCodeAt(0).toString(8).padStart(3, '0')}`);
    a.write(
      '/proc/self/mountinfo',
      `1 0 7:1 / ${mountpoint.replaceAll(' ', '\\040')} rw - ${traits.type} /dev/vol1 rw\n`,
    );
    const entries = site
      .clientSpecifications()
      .map(
        (one) => `${octal(site.exportPath('vol1'))}\t${spelt(one)}(${site.exportOptions()},sync,fsid=1234)\n`,
      );
    a.write('/var/lib/nfs/etab', entries.join(''));
    const prefixlen = own.includes(':') ? 64 : 24;
    a.write(
      '/addresses.json',
      JSON.stringify([
        {
          ifname: 'eth0',
          addr_info: [
            { local: own, prefixlen },
            { local: '192.0.2.9', prefixlen: 24 },
            { local: 'fd01::9', prefixlen: 64 },
          ],
        },
      ]),
    );
    a.write('/proc/fs/nfsd/threads', '8\n');
    a.write('/var/lib/nfs/sm/10.9.9.9', '');
    const { remarks, outcome } = await adoptHere(a);
    t.is(outcome, 'done', title);
    t.is(remarks.length, 1, `${title} (${describeSite(traits)}): ${remarks.join('; ')}`);
  }
});

test('status, where an address is exported and neither up nor recorded, says what ends that', async (t) => {
  const { a, b } = await fixture(t);
  a.write('/addresses.json', b.read('/addresses.json'));
  const heading = async (node: RehearsalNode) => (await node.here(['status', address])).stdout.split('\n')[0];
  t.is(await heading(a), `${address}  partly here: adopt, takeover or release`);
  t.is(await heading(b), `${address}  not served here`);
});
