// What status, clients and audit end with, and that they agree about what can be read.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import Sqlite from 'better-sqlite3';
import { whatIsWrong } from '../../../src/failover/status/wrong.js';
import { projectRoot } from '../../lab/project-root.js';
import { addClient } from '../../helpers/rehearsal-steps.js';
import { makeRehearsal, type RehearsalNode, type RehearsalSite } from '../../helpers/rehearsal-site.js';

const address = '127.77.16.1';
const shared = '/shared_storage';

/** The address is served by A. */
async function served(t: ExecutionContext, stateDirectory?: string): Promise<RehearsalSite> {
  const site = makeRehearsal({
    address,
    rpcbindPort: 1,
    ...(stateDirectory === undefined ? {} : { stateDirectory }),
  });
  t.teardown(() => site.remove());
  if (stateDirectory !== undefined) {
    mkdirSync(path.join(site.directory, stateDirectory));
    for (const node of [site.a, site.b]) node.link(stateDirectory, path.join(site.directory, stateDirectory));
  }
  const { exitCode, stderr } = await site.a.here(['takeover', address, '--no-wait']);
  t.is(exitCode, 0, stderr);
  return site;
}

/** The exit codes of status and of status --is-served, and the lines WRONG. */
async function seen(node: RehearsalNode): Promise<{ status: number; isServed: number; wrong: string[] }> {
  const [status, isServed] = await Promise.all([
    node.here(['status', address]),
    node.here(['status', '--is-served', address]),
  ]);
  const wrong = [...status.stdout.matchAll(/^ {2}WRONG {7}(.*)$/gm)].map(([, text = '']) => text);
  return { status: status.exitCode, isServed: isServed.exitCode, wrong };
}

function inRecord(node: RehearsalNode, sql: string, directory = '/mnt/state1'): void {
  const db = new Sqlite(node.path(`${directory}/sm_${address}/monitors.db`));
  db.exec(sql);
  db.close();
}

for (const stateDirectory of [undefined, shared]) {
  test(`0 and 0 where it is served, 0 and 7 elsewhere, before and after (${stateDirectory ?? 'on the volume'})`, async (t) => {
    const { a, b } = await served(t, stateDirectory);
    t.deepEqual(await seen(a), { status: 0, isServed: 0, wrong: [] });
    t.deepEqual(await seen(b), { status: 0, isServed: 7, wrong: [] });
    await a.here(['release', address]);
    for (const node of [a, b]) t.deepEqual(await seen(node), { status: 0, isServed: 7, wrong: [] });
  });
}

function changeMount(node: RehearsalNode, from: string | RegExp, to: string): void {
  const table = node.read('/proc/self/mountinfo');
  node.write('/proc/self/mountinfo', table.replace(from, to));
}

/** What is done to A, and what it then says. `isServed` 0: it is served all the same. */
const ills: readonly (readonly [
  what: string,
  make: (site: RehearsalSite) => void | Promise<unknown>,
  isServed: number,
  wrong: RegExp,
])[] = [
  [
    'its volume, with the record, is not mounted',
    ({ a }) => a.write('/proc/self/mountinfo', ''),
    1,
    /\/mnt\/(?:vol1|state1) is not mounted/,
  ],
  [
    'a takeover failed',
    async ({ a }) => {
      await a.here(['release', address]);
      const file = '/etc/nlm-failover.toml';
      a.write(file, a.read(file).replace('"start-nfsd"', '"start-nothing"'));
      a.write('/proc/fs/nfsd/threads', '0\n');
      await a.here(['takeover', address]);
    },
    1,
    /the last takeover failed/,
  ],
  [
    'a release failed',
    async ({ a }) => {
      a.write('/umount-fails', 'target is busy');
      await a.here(['release', address]);
    },
    1,
    /the last release failed/,
  ],
  [
    'locks are lost',
    ({ a }) =>
      inRecord(
        a,
        `INSERT INTO findings (epoch, verdict, clients, at) VALUES (1, 'silent', '["127.77.16.9"]', 1)`,
      ),
    0,
    /1 LOST or SILENT/,
  ],
  ['an export is gone', ({ a }) => a.write('/var/lib/nfs/etab', ''), 1, /\/mnt\/vol1 is not exported/],
  [
    'it is exported with another fsid',
    ({ a }) => a.write('/var/lib/nfs/etab', a.read('/var/lib/nfs/etab').replace('fsid=1234', 'fsid=99')),
    1,
    /\/mnt\/vol1 is not exported to \* as the configuration says/,
  ],
  [
    'it is exported read-only',
    ({ a }) => a.write('/var/lib/nfs/etab', a.read('/var/lib/nfs/etab').replace('(rw', '(ro')),
    1,
    /\/mnt\/vol1 is not exported to \* as the configuration says/,
  ],
  [
    'an error made its file system read-only',
    ({ a }) => changeMount(a, /(vol1 rw - ext4 \/dev\/vol1) rw/, '$1 ro'),
    1,
    /\/mnt\/vol1 is mounted read-only/,
  ],
  [
    'its mount is read-only',
    ({ a }) => changeMount(a, 'vol1 rw -', 'vol1 ro -'),
    1,
    /\/mnt\/vol1 is mounted read-only/,
  ],
  [
    'the address is on another interface',
    ({ a }) => a.write('/addresses.json', a.read('/addresses.json').replace('eth0', 'eth7')),
    1,
    /the address is up on eth7, and the configuration says eth0/,
  ],
  [
    'the address has another prefix length',
    ({ a }) => a.write('/addresses.json', a.read('/addresses.json').replace(':24', ':32')),
    1,
    /the address is up with prefix length 32, and the configuration says 24/,
  ],
  ['nfsd has died', ({ a }) => a.write('/proc/fs/nfsd/threads', '0\n'), 1, /the lock manager does not run/],
  ['the address is down', ({ a }) => a.write('/addresses.json', '[]'), 1, /the address is not up/],
  [
    'an operation was interrupted',
    ({ a }) => inRecord(a, `UPDATE operations SET ended_at = NULL, outcome = NULL`),
    0,
    /the last takeover was interrupted/,
  ],
  [
    'the callout could not record a client',
    ({ a }) =>
      a.write(`/run/nlm-failover/marks/${address}`, '1.0 add-client x not recorded: the disk is full\n'),
    0,
    /could not record an event: .*disk is full/,
  ],
];

for (const [what, make, isServed, wrong] of ills) {
  test(`1 where ${what}, and it is said`, async (t) => {
    const site = await served(t);
    await make(site);
    const now = await seen(site.a);
    t.is(now.status, 1);
    t.is(now.isServed, isServed);
    t.true(
      now.wrong.some((one) => wrong.test(one)),
      now.wrong.join('\n'),
    );
    t.is((await seen(site.b)).isServed, 7, 'B has nothing of it');
  });
}

test('the state directory changes while the address is served: said, and neither taken over nor released', async (t) => {
  const { a, directory } = await served(t, shared);
  const [file, copy] = ['/etc/nlm-failover.toml', '/copied_storage'];
  cpSync(path.join(directory, shared), path.join(directory, copy), { recursive: true });
  a.link(copy, path.join(directory, copy));
  const before = a.read(file);
  a.write(file, before.replace(shared, copy));
  addClient(a, '127.77.16.33');
  const now = await seen(a);
  t.like(now, { status: 1, isServed: 1 });
  t.regex(
    now.wrong.join('\n'),
    /its clients are recorded in .*shared_storage.*journal\.A, and that is not in its record/,
  );
  for (const args of [
    ['takeover', address, '--no-wait'],
    ['release', address],
  ]) {
    const refused = await a.here(args);
    t.is(refused.exitCode, 1, args[0]);
    t.regex(
      refused.stderr,
      /are recorded in .*shared_storage.*journal\.A, which is no journal of this node in \/copied_storage/,
    );
  }
  t.regex(a.read('/addresses.json'), /127\.77\.16\.1/, 'nothing was touched');
  a.write(file, before);
  t.like(await seen(a), { status: 0, isServed: 0 });
  t.is((await a.here(['release', address])).exitCode, 0);
  t.regex((await a.here(['clients', address])).stdout, /127\.77\.16\.33/);
});

test('one of two exports of a path is gone, and takeover brings it back', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const { a } = site;
  const [file, etab] = ['/etc/nlm-failover.toml', '/var/lib/nfs/etab'];
  const one = /( {4}\[\[floating_ip\.filesystem\.export\]\]\n {4}clients = )"\*"\n/;
  const two = '$1"10.9.0.0/16"\n    options = "rw"\n\n$1"10.8.0.0/16"\n';
  a.write(file, a.read(file).replace(one, two));
  const takeover = () => a.here(['takeover', address, '--no-wait']);
  t.is((await takeover()).exitCode, 0);
  t.like(await seen(a), { status: 0, isServed: 0 });
  const rows = a.read(etab).split('\n');
  a.write(etab, rows.filter((row) => !row.includes('10.8.')).join('\n'));
  t.deepEqual(await seen(a), {
    status: 1,
    isServed: 1,
    wrong: ['/mnt/vol1 is not exported to 10.8.0.0/16 as the configuration says'],
  });
  t.is((await takeover()).exitCode, 0);
  t.like(await seen(a), { status: 0, isServed: 0 });
});

test('takeover does not call a read-only mount or another prefix length unchanged, unless it is to be so', async (t) => {
  const { a } = await served(t);
  const takeover = () => a.here(['takeover', address, '--no-wait']);
  changeMount(a, 'vol1 rw -', 'vol1 ro -');
  const readOnly = await takeover();
  t.not(readOnly.exitCode, 0);
  t.regex(readOnly.stderr, /\/dev\/vol1 is mounted read-only on \/mnt\/vol1/);
  const config = a.read('/etc/nlm-failover.toml');
  const file = '/etc/nlm-failover.toml';
  a.write(file, config.replace(/(mountpoint = "\/mnt\/vol1"\n)/, '$1  options = "noatime,ro"\n'));
  t.is((await takeover()).exitCode, 0);
  t.like(await seen(a), { status: 0, isServed: 0 });
  a.write('/addresses.json', a.read('/addresses.json').replace(':24', ':32'));
  const wider = await takeover();
  t.not(wider.exitCode, 0);
  t.regex(wider.stderr, /is up with prefix length 32, and the configuration says 24/);
});

test('a callout that cannot write to the journal: it is not served well', (t) => {
  const status = {
    address,
    here: { addressUp: true, recording: true },
    unreachable: 'none',
    marks: [],
    unrecorded: [],
  };
  const seenHere = {
    isInstance: false,
    isLinked: true,
    recordedElsewhere: undefined,
    mustReachRecord: true,
    volumeIsMounted: true,
    volumesBeside: [],
    statdRuns: true,
    unmounted: [],
    readOnly: [],
    misplaced: undefined,
    exposed: [],
    isExported: true,
    unexported: [],
    lockManagerIsUp: true,
    isNode: () => true,
    isOperating: false,
    isBusyBeside: false,
    unheard: undefined,
    lostEvents: [],
  };
  const message = 'the callout cannot record';
  t.true(whatIsWrong(status, { ...seenHere, calloutFault: { message } }).ill.includes(message));
  const note = whatIsWrong(status, { ...seenHere, calloutFault: { message, isNote: true } });
  t.false(note.ill.includes(message));
  t.true(note.wrong.includes(message));
});

test('an acknowledged loss is none any more', async (t) => {
  const { a } = await served(t);
  inRecord(a, `INSERT INTO findings (epoch, verdict, clients, at) VALUES (1, 'lost', '[]', 1)`);
  t.is((await seen(a)).status, 1);
  t.is((await a.here(['audit', address])).exitCode, 6);
  t.is((await a.here(['audit', address, '--acknowledge'])).exitCode, 0);
  t.is((await seen(a)).status, 0);
});

test('storage that every node sees and that is not there is wrong on every node', async (t) => {
  const { a, b, directory } = await served(t, shared);
  rmSync(path.join(directory, shared), { recursive: true });
  t.like(await seen(b), { status: 1, isServed: 7 });
  t.like(await seen(a), { status: 1, isServed: 1 });
  t.regex((await seen(b)).wrong.join(), /\/shared_storage does not exist/);
});

test('an owner that serves nothing, as after a reboot: 1, and 7 for who may start it', async (t) => {
  const { a } = await served(t, shared);
  for (const file of ['/proc/self/mountinfo', '/var/lib/nfs/etab']) a.write(file, '');
  a.write('/addresses.json', '[]');
  rmSync(path.join(a.root, 'run/nlm-failover'), { recursive: true });
  const now = await seen(a);
  t.like(now, { status: 1, isServed: 7 });
  t.regex(now.wrong.join(), /this node owns it \(epoch 1\), and does not serve it/);
});

for (const stateDirectory of [undefined, shared]) {
  test(`a volume that is mounted where nothing is served (${stateDirectory ?? 'on the volume'})`, async (t) => {
    const { a, b } = await served(t, stateDirectory);
    await a.here(['release', address]);
    await b.here(['takeover', address, '--steps', 'B-1']);
    t.like(await seen(b), { status: 1, isServed: 1 });
  });
}

test('a volume that the release could not unmount is still here, with the record on shared storage', async (t) => {
  const { a } = await served(t, shared);
  a.write('/umount-fails', 'target is busy');
  await a.here(['release', address]);
  t.like(await seen(a), { status: 1, isServed: 1 });
  a.remove('/umount-fails');
  await a.here(['release', address]);
  t.like(await seen(a), { status: 0, isServed: 7 });
});

for (const [what, make, said] of [
  [
    'the volume is not mounted',
    (a: RehearsalNode) => a.write('/proc/self/mountinfo', ''),
    '/mnt/state1 is not mounted',
  ],
  [
    'the database is no database',
    (a: RehearsalNode) => a.write(`/mnt/state1/sm_${address}/monitors.db`, 'x'.repeat(5000)),
    'monitors.db',
  ],
] as const) {
  test(`status, clients and audit agree: ${what}`, async (t) => {
    const { a } = await served(t);
    make(a);
    for (const command of ['status', 'clients', 'audit']) {
      const { exitCode, stdout, stderr } = await a.here([command, address]);
      t.is(exitCode, 1, command);
      t.true((stdout + stderr).includes(said), `${command}: ${stdout}${stderr}`);
      const json = await a.here([command, address, '--json']);
      t.is(json.exitCode, 1, command);
      t.true(json.stdout.includes(said), `${command}: ${json.stdout}`);
    }
    // Of all addresses those are shown that can be.
    t.is((await a.here(['clients'])).exitCode, what === 'the volume is not mounted' ? 0 : 1);
  });
}

test('one record that cannot be used does not hide the clients of another address', async (t) => {
  const other = '127.77.16.2';
  const site = makeRehearsal({ address, rpcbindPort: 1, others: [{ address: other, fsid: 5 }] });
  t.teardown(() => site.remove());
  const { a } = site;
  a.write('/var/lib/nfs/sm/127.77.16.21', '');
  for (const one of [other, address]) await a.here(['takeover', one, '--no-wait', '--steps', 'B-1,B-2']);
  a.write(`/mnt/state1/sm_${address}/monitors.db`, 'x'.repeat(5000));
  const { exitCode, stdout, stderr } = await a.here(['clients']);
  t.is(exitCode, 1);
  t.regex(stderr, /monitors\.db[^]*rebuild 127\.77\.16\.1/);
  t.regex(stdout, /127\.77\.16\.2 +5 +127\.77\.16\.21/);
});

test('--is-served wants an address', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const { exitCode, stderr } = await site.a.here(['status', '--is-served']);
  t.is(exitCode, 2);
  t.regex(stderr, /--is-served needs an address/);
  t.is((await site.a.here(['status', '--is-served', '127.77.16.9'])).exitCode, 2);
});

const canBeNobody = spawnSync('unshare', ['--user', 'true']).status === 0;

(canBeNobody ? test : test.skip)('not root: one sentence, from every command that needs it', (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-not-root-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'nlm-failover.toml');
  writeFileSync(
    file,
    `[[floating_ip]]
address = "10.10.1.1/24"
interface = "eth0"
state_directory = "/srv/state/.nlm"
  [[floating_ip.filesystem]]
  fsid = 1234
  device = "/dev/vg0/vol1"
  mountpoint = "/srv/vol1"
  type = "ext4"
    [[floating_ip.filesystem.export]]
    clients = "*"
`,
    { mode: 0o644 },
  );
  const bin = path.join(projectRoot(), 'bin', 'nlm-failover');
  const ip = '10.10.1.1';
  for (const args of [
    ['release', ip],
    ['release', ip, '--dry-run'],
    ['takeover', ip],
    ['takeover', ip, '--dry-run'],
    ['notify', ip],
    ['audit', ip],
    ['clients'],
    ['status'],
    ['status', '--is-served', ip],
    ['rebuild', ip],
    ['exec', ip, '--', 'true'],
  ]) {
    // A user of a namespace without a mapping is nobody, whoever made it.
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['--user', process.execPath, bin, args[0] ?? '', '--config', file, ...args.slice(1)],
      { encoding: 'utf8' },
    );
    t.is(status, 2, `${args.join(' ')}: ${stderr}`);
    t.regex(
      stderr,
      /^nlm-failover: This command needs root, and runs as uid \d+\n {2}Run it as root: /,
      args.join(' '),
    );
    t.is(stderr.trim().split('\n').length, 2, stderr);
    t.is(stdout, '');
  }
  t.regex(
    execFileSync('unshare', ['--user', process.execPath, bin, '--help'], { encoding: 'utf8' }),
    /Exit codes:/,
  );
});

test('shared storage that has no record yet: whoever asks for one address is told what makes it', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: shared });
  t.teardown(() => site.remove());
  mkdirSync(path.join(site.directory, shared));
  site.a.link(shared, path.join(site.directory, shared));
  for (const command of ['audit', 'notify', 'clients']) {
    const { exitCode, stderr } = await site.a.here([command, address]);
    t.is(exitCode, 1, command);
    t.regex(
      stderr,
      /There is no record of 127\.77\.16\.1 in .*\n {2}No takeover has made a record yet: nlm-failover takeover 127\.77\.16\.1\n$/,
      command,
    );
  }
});
