// keepalived's notify script, and what "setup --keepalived" writes, with the real keepalived: who is told what, in which order.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { projectRoot } from '../lab/project-root.js';
import { type Netns, withNetns, withNetnsPair } from '../helpers/netns.js';
import { netnsTest as test } from './netns-test.js';
import { waitFor } from './wait-for.js';

const tool = '/run/tool';
const script = `${tool}/callouts/keepalived/nlm-failover-notify`;
const address = '10.10.1.1';
const away = `/var/lib/nlm-failover/keepalived/${address}.away`;

/**
 * Stands for nlm-failover: writes down what it is asked. A takeover goes on until /run/go is there or it is interrupted, and ends as
 * /run/code has it.
 */
const program = `#!/bin/sh
trap 'echo "$1 interrupted" >>/run/calls; exit 1' TERM
case $1 in
status) cat /run/status; exit 1 ;;
esac
echo "$*" >>/run/calls
if [ "$1" = takeover ]; then
  until [ -e /run/go ]; do sleep 0.1; done
  code=$(cat /run/code)
  echo "nlm-failover: why it ended with $code"
fi
echo "$1 ends" >>/run/calls
exit "\${code:-0}"
`;

const systemctl = '#!/bin/sh\necho "systemctl $*" >>/run/calls\n';

/** A /var/lib of its own, the script, and what stands for the program. */
async function prepare(host: Netns): Promise<void> {
  await host.run(
    'sh',
    '-ec',
    `mkdir -p ${path.dirname(script)} ${tool}/bin /run/bin /run/upper /run/work
     mkdir /run/nfs && mount --bind /var/lib/nfs /run/nfs
     mount -t overlay -o lowerdir=/var/lib,upperdir=/run/upper,workdir=/run/work overlay /var/lib
     rm -rf /var/lib/nlm-failover
     mkdir -p ${path.dirname(away)}
     echo 0 >${away}
     : >/run/calls; : >/run/status; : >/run/go; echo 0 >/run/code`,
  );
  cpSync(path.join(projectRoot(), 'callouts'), host.path(`${tool}/callouts`), { recursive: true });
  standIn(host);
}

function standIn(host: Netns): void {
  writeFileSync(host.path(`${tool}/bin/nlm-failover`), program, { mode: 0o755 });
}

function callsOf(host: Netns): string[] {
  return readFileSync(host.path('/run/calls'), 'utf8').split('\n').slice(0, -1);
}

/** Waits until it was asked so much. */
async function asked(t: ExecutionContext, host: Netns, ...calls: string[]): Promise<void> {
  await waitFor('its calls', async () => callsOf(host).length >= calls.length).catch(() => undefined);
  t.deepEqual(callsOf(host), calls);
  writeFileSync(host.path('/run/calls'), '');
}

async function says(host: Netns, state: string, ...more: string[]): Promise<void> {
  await host.run(script, address, ...more, 'INSTANCE', 'nfs-10.10.1.1', state, '100');
}

const takeover = `takeover --await-release 60 ${address}`;
const release = `release ${address}`;
const ends = { takeover: 'takeover ends', release: 'release ends' };

test('what keepalived has said last is done, however its scripts come in; a takeover is interrupted for it', async (t) => {
  t.timeout(120_000);
  const host = await withNetns(t);
  await prepare(host);
  await says(host, 'MASTER');
  await asked(t, host, takeover, ends.takeover);
  for (const state of ['BACKUP', 'FAULT', 'STOP', 'DELETED']) {
    await says(host, state);
    await asked(t, host, release, ends.release);
  }

  // Begun before the next one, and on its way after it: keepalived started it with what is no longer so.
  const late = host.start('sh', [
    '-c',
    'echo begun; read -r _; exec "$@"',
    'sh',
    script,
    address,
    'INSTANCE',
    'nfs',
    'BACKUP',
    '100',
  ]);
  await late.saw(/begun/);
  await says(host, 'MASTER');
  await asked(t, host, takeover, ends.takeover);
  late.write('');
  t.is(await late.exited, 0);
  t.regex(late.output(), /10\.10\.1\.1: BACKUP is older than what keepalived has said since/);

  // What is on its way gives way to what is newer; of what came meanwhile only the last is done.
  await host.run('rm', '/run/go');
  await says(host, 'BACKUP');
  await asked(t, host, release, ends.release);
  await says(host, 'MASTER');
  await asked(t, host, takeover);
  await Promise.all([says(host, 'BACKUP'), says(host, 'FAULT'), says(host, 'STOP')]);
  await asked(t, host, 'takeover interrupted', release, ends.release);
  writeFileSync(host.path('/run/go'), '');
  // As keepalived ends its scripts when it stops: the whole process group. Nobody else is at work then.
  await host.run('rm', '/run/go');
  await waitFor('its end', async () => readFileSync(host.path(doneFile), 'utf8') === stateOf(host));
  await host.run('flock', doneFile.replace('.done', '.worker'), 'true');
  const ended = host.start('setsid', [
    'sh',
    '-c',
    '"$@"; kill -KILL 0',
    'sh',
    script,
    address,
    'INSTANCE',
    'nfs',
    'MASTER',
    '100',
  ]);
  t.is(await ended.exited, 128, 'it has handed over');
  await asked(t, host, takeover);
  writeFileSync(host.path('/run/go'), '');
  await asked(t, host, ends.takeover);
  // Another address waits for none of it; the configuration goes along.
  await host.run(script, 'fd00::1', '--config', '/run/my config', 'GROUP', 'all', 'MASTER', '0');
  await asked(t, host, 'takeover --await-release 60 fd00::1 --config /run/my config', ends.takeover);
});

test('a takeover that serves nothing takes this node out of the election, until somebody has looked', async (t) => {
  t.timeout(120_000);
  const host = await withNetns(t);
  await prepare(host);
  const isAway = () => readFileSync(host.path(away), 'utf8').trim();
  writeFileSync(host.path('/run/code'), '1');
  writeFileSync(host.path('/run/status'), '10.10.1.1  served here\n');
  await says(host, 'MASTER');
  await asked(t, host, takeover, ends.takeover);
  await waitFor('its end', async () => existsSync(host.path(doneFile)));
  t.is(isAway(), '0', 'not everything was done, and it is served');
  await says(host, 'BACKUP');
  await asked(t, host, release, ends.release);
  writeFileSync(host.path('/run/code'), '4');
  writeFileSync(host.path('/run/status'), '10.10.1.1  not served here\n');
  await says(host, 'MASTER');
  await waitFor('the track_file', async () => isAway() === '1');
  await asked(t, host, takeover, ends.takeover);
  // What keepalived says then, and prints nothing.
  await says(host, 'FAULT');
  await asked(t, host, release, ends.release);
  t.is(
    readFileSync(host.path(`/run/nlm-failover/keepalived/${address}.takeover.log`), 'utf8'),
    'nlm-failover: why it ended with 4\n',
  );

  // By the unit, where systemd runs.
  for (const [result, then] of [
    ['success', '0'],
    ['exit-code', '1'],
  ] as const) {
    writeFileSync(host.path(away), '0\n');
    await host.run('env', `SERVICE_RESULT=${result}`, script, '--ended', address);
    t.is(isAway(), then);
  }
  // Not where keepalived does not look for it.
  await host.run('rm', away);
  await host.run('env', 'SERVICE_RESULT=exit-code', script, '--ended', address);
  t.false(existsSync(host.path(away)));
});

function stateOf(host: Netns): string {
  return readFileSync(host.path(doneFile.replace('.done', '.state')), 'utf8');
}

const doneFile = `/run/nlm-failover/keepalived/${address}.done`;

test("words that are none of keepalived's do nothing", async (t) => {
  t.timeout(120_000);
  const host = await withNetns(t);
  await prepare(host);
  mkdirSync(host.path('/run/systemd/system'), { recursive: true });
  writeFileSync(host.path('/run/bin/systemctl'), systemctl, { mode: 0o755 });
  const say = (...words: string[]) =>
    host.start(script, words, { PATH: `/run/bin:${process.env['PATH'] ?? ''}` });
  const four = ['INSTANCE', 'nfs', 'MASTER', '100'];
  for (const words of [
    [],
    four,
    [''],
    ['', ...four],
    ['..', ...four],
    ['../../etc', ...four],
    ['10.10.1.1/24', ...four],
    ['10.10.1.1;touch /run/bad', ...four],
    ['$(touch /run/bad)', ...four],
    ['-n', ...four],
    ['--work'],
    ['--work', '../x'],
    ['--ended', '*'],
    ['--left', '../x'],
    ['1'.repeat(46), ...four],
    [`${address}\n`, ...four],
    [address],
    [address, ...four, 'MASTER'],
    [address, 'INSTANCE', 'nfs', '{UNKNOWN}', '100'],
    [address, 'INSTANCE', 'nfs', 'master', '100'],
    [address, '--config', 'relative', ...four],
    [address, '--config'],
  ]) {
    const refused = say(...words);
    t.is(await refused.exited, 2, words.join(' '));
    t.regex(refused.output(), /^nlm-failover-notify: /);
  }
  t.deepEqual(callsOf(host), []);
  t.false(existsSync(host.path('/run/nlm-failover')), 'nothing was written');
  t.false(existsSync(host.path('/run/bad')));
});

const configuration = (node: string) => `node = "${node}"
[[floating_ip]]
address = "${address}/24"
interface = "veth0"
state_directory = "/srv/state"

  [[floating_ip.filesystem]]
  device = "/dev/state"
  mountpoint = "/srv/state"
  type = "ext4"

  [[floating_ip.filesystem]]
  fsid = 1234
  device = "/dev/vol"
  mountpoint = "/srv/vol"
  type = "ext4"

    [[floating_ip.filesystem.export]]
    clients = "*"
`;

/** An /etc of its own, and the program itself. */
async function prepareKeepalived(host: Netns, node: string): Promise<void> {
  await prepare(host);
  await host.run(
    'sh',
    '-ec',
    `cp -a /etc /run/etc && mount --bind /run/etc /etc
     rm -rf /etc/keepalived /etc/nfs.conf.d /var/lib/nlm-failover
     mkdir -p /run/srv && mount --bind /run/srv /srv
     ln -s ${projectRoot()}/node_modules ${tool}/node_modules`,
  );
  for (const part of ['bin', 'dist'])
    cpSync(path.join(projectRoot(), part), host.path(`${tool}/${part}`), { recursive: true });
  writeFileSync(host.path('/etc/nlm-failover.toml'), configuration(node));
}

async function setup(host: Netns, ...args: string[]): Promise<{ code: number; text: string }> {
  const run = host.start(process.execPath, [`${tool}/bin/nlm-failover`, 'setup', ...args], {
    PATH: `${process.env['PATH'] ?? ''}:/usr/sbin`,
  });
  return { code: await run.exited, text: run.output() };
}

test('setup --keepalived: two nodes elect one, and hand over', async (t) => {
  t.timeout(180_000);
  const [a, b] = await withNetnsPair(t, ['10.10.0.1/24'], ['10.10.0.2/24']);
  const nodes = [a, b] as const;
  await Promise.all([prepareKeepalived(a, 'A'), prepareKeepalived(b, 'B')]);
  const words = ['--keepalived', '--peer', '10.10.0.1', '--peer', '10.10.0.2'];
  const dry = await setup(a, ...words, '--dry-run');
  t.regex(dry.text, /instance +to do +\/etc\/keepalived\/conf\.d\/nlm-failover-10\.10\.1\.1\.conf/, dry.text);
  t.false(existsSync(a.path('/etc/keepalived')));
  for (const [wrong, code, why] of [
    [['--keepalived', '--peer', address], 3, /--peer 10\.10\.1\.1 is a floating IP, which moves/],
    [['--keepalived', '--peer', '10.10.0.1'], 3, /every --peer is this node itself/],
    [['--keepalived', '--peer', 'fd00::9'], 2, /It takes an IPv4 address/],
    [['--peer', '10.10.0.2'], 2, /need --keepalived\n {2}nlm-failover setup --help has its options/],
  ] as const) {
    const refused = await setup(a, ...wrong);
    t.is(refused.code, code, refused.text);
    t.regex(refused.text, why);
    t.false(existsSync(a.path('/etc/keepalived')));
  }
  for (const host of nodes) {
    const { text } = await setup(host, ...words);
    t.regex(text, /instance +done .*virtual_router_id 1, with 10\.10\.0\.[12];/, text);
    t.regex(text, /unit +unchanged +nlm-failover@10\.10\.1\.1\.service is not enabled/);
    standIn(host);
  }
  const conf = readFileSync(a.path('/etc/keepalived/conf.d/nlm-failover-10.10.1.1.conf'), 'utf8');
  t.false(conf.includes('10.10.0.1\n'), 'not its own peer');
  t.regex(conf, new RegExp(`notify "${script} 10.10.1.1" root`));

  const start = (host: Netns) => host.start('keepalived', ['-n', '-l', '-D']);
  const pidsOf = async (host: Netns) =>
    (await host.run('cat', '/run/keepalived.pid', '/run/vrrp.pid').catch(() => ''))
      .split('\n')
      .filter(Boolean);
  const log = start(a);
  // It begins as BACKUP.
  await asked(t, a, release, ends.release, takeover, ends.takeover);
  start(b);
  await asked(t, b, release, ends.release);
  t.notRegex(log.output(), /SECURITY|rror/);
  // A planned move: A does not stand for it any more. What B does is not done when its keepalived is killed.
  await b.run('rm', '/run/go');
  writeFileSync(a.path(away), '1\n');
  await asked(t, a, release, ends.release);
  await asked(t, b, takeover);
  await b.run('kill', '-9', ...(await pidsOf(b)));
  writeFileSync(b.path('/run/go'), '');
  await asked(t, b, ends.takeover);

  // A stands for it again, and hears nobody: two have the mastership, and what the disk says is heeded.
  writeFileSync(a.path('/run/code'), '4');
  writeFileSync(a.path(away), '0\n');
  await asked(t, a, release, ends.release, takeover, ends.takeover, release, ends.release);
  t.is(readFileSync(a.path(away), 'utf8').trim(), '1');
  t.deepEqual(callsOf(b), [], 'B keeps what it has');

  await a.run('kill', (await pidsOf(a))[0] ?? '');
  await log.exited;
  // From here on without keepalived, and without a trace of it.
  cpSync(path.join(projectRoot(), 'bin'), a.path(`${tool}/bin`), { recursive: true });
  const plain = await setup(a);
  t.regex(plain.text, /unit +unchanged +nlm-failover@10\.10\.1\.1\.service is not enabled/, plain.text);
  const undone = await setup(a, '--undo');
  t.is(undone.code, 0, undone.text);
  for (const gone of [
    '/etc/keepalived',
    '/var/lib/nlm-failover',
    '/etc/systemd/system/nlm-failover@10.10.1.1.service.d',
  ])
    t.false(existsSync(a.path(gone)), gone);
});
