// What a process as statd, without capabilities, can do in the directories of an instance, and what root does there meanwhile.
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readMarks } from '../../src/rundir/marks.js';
import { type Netns, type Program, withNetns } from '../helpers/netns.js';
import { instanceDaemons } from '../../src/lockmanager/lockd-netns/daemons.js';
import { netnsTest as test } from './netns-test.js';
import { startRpcbind } from './statd.js';
import { waitFor } from './wait-for.js';

const address = '10.88.1.1';
const directory = `/run/nlm-failover/instances/${address}`;
const script = join(import.meta.dirname, 'instance-inside.js');

const instance = (netns: Netns, verb: 'make' | 'remove') =>
  netns.run(process.execPath, script, verb, address);

const drop = [
  'setpriv',
  '--reuid=statd',
  '--regid=nogroup',
  '--clear-groups',
  '--bounding-set=-all',
  '--inh-caps=-all',
];

/** Runs a shell script as statd, in a directory that it was given. */
function asStatd(netns: Netns, at: string, text: string): Program {
  return netns.start('sh', ['-c', 'cd "$1"; shift; exec "$@"', 'sh', at, ...drop, 'sh', '-c', text]);
}

/** Another file of root's, which nobody else may touch. */
async function makeVictim(netns: Netns): Promise<string> {
  await netns.run(
    'sh',
    '-c',
    'mkdir -m 711 /run/victim; umask 077; echo "root:x:0:0" >/run/victim/passwd; cp /run/victim/passwd /run/victim/before',
  );
  return '/run/victim/passwd';
}

test('statd does not own /var/lib/nfs of an instance: etab stays, and root follows no link there', async (t) => {
  const netns = await withNetns(t);
  await instance(netns, 'make');
  const victim = await makeVictim(netns);
  await netns.run('mount', '--rbind', `${directory}/nfs`, '/var/lib/nfs');
  const etab = netns.path('/var/lib/nfs/etab');
  for (const text of [
    'rm -f etab',
    'mv etab away',
    'echo "/etc *(rw,no_root_squash)" >etab',
    `ln -s ${victim} etab.tmp`,
    `ln -s ${victim} .etab.lock`,
    `ln -s ${victim} rmtab.tmp`,
    'mv statd/sm away',
    'mv statd/sm statd/away',
    'mv statd/state statd/away',
    'mv statd away',
    'mkdir other',
  ])
    t.not(await asStatd(netns, '/var/lib/nfs', text).exited, 0, text);
  await netns.run('exportfs', '-i', '-o', 'rw,fsid=5', '127.0.0.2:/run/victim');
  t.is(readFileSync(netns.path(victim), 'utf8'), readFileSync(netns.path('/run/victim/before'), 'utf8'));
  t.regex(readFileSync(etab, 'utf8'), /^\/run\/victim\t127\.0\.0\.2\(/);
  t.is(lstatSync(netns.path('/var/lib/nfs')).uid, 0);
});

test("only sm, sm.bak, state and the marks are statd's", async (t) => {
  const netns = await withNetns(t);
  await instance(netns, 'make');
  const { uid } = statSync(netns.path('/var/lib/nfs/sm')); // the host's
  t.not(uid, 0);
  const owned = (at: string): string[] =>
    readdirSync(netns.path(at)).flatMap((name) => {
      const one = lstatSync(netns.path(`${at}/${name}`));
      return [
        ...(one.uid === uid ? [`${at}/${name}`] : []),
        ...(one.isDirectory() ? owned(`${at}/${name}`) : []),
      ];
    });
  t.deepEqual(
    owned(`${directory}/nfs`)
      .map((file) => file.replace(/^.*\//, ''))
      .toSorted(),
    ['sm', 'sm.bak', 'state'],
  );
});

test('what statd can fill is its own: root exports, and notes the grace, all the same', async (t) => {
  const netns = await withNetns(t);
  await instance(netns, 'make');
  await netns.run('mount', '--rbind', `${directory}/nfs`, '/var/lib/nfs');
  // As rpc.statd does with its pid file (nsm_drop_privileges).
  await netns.run(
    'sh',
    '-c',
    `: >${directory}/run/rpc.statd.pid; chown statd ${directory}/run/rpc.statd.pid`,
  );
  const filled = [`${directory}/run`, `${directory}/run/nlm-failover/marks`];
  const fill =
    'for name in rpc.statd.pid a; do dd if=/dev/zero of=$name bs=64k 2>/dev/null; done; stat -f -c %a .';
  for (const at of filled) {
    const filling = asStatd(netns, at, fill);
    await filling.exited;
    t.regex(filling.output(), /^ *0$/m, at);
  }
  const names = asStatd(
    netns,
    filled[1] ?? '',
    'rm -f a rpc.statd.pid; n=0; while [ $n -lt 3000 ] && true >$n 2>/dev/null; do n=$((n + 1)); done; echo made $n',
  );
  await names.exited;
  t.true(Number(/made ([0-9]+)/.exec(names.output())?.[1]) < 1100, names.output());
  t.regex(readMarks(netns.path(`${directory}/run/nlm-failover`), [])[0]?.text ?? '', /marks is full/);
  await netns.run('exportfs', '-i', '-o', 'rw,fsid=5', '127.0.0.2:/run');
  t.regex(readFileSync(netns.path('/var/lib/nfs/etab'), 'utf8'), /^\/run\t127\.0\.0\.2\(/);
  await netns.run(
    'sh',
    '-c',
    `echo '1 90' >${directory}/grace; ln -s /mnt/vol1/.nlm/sm_10.88.1.1/journal.A ${directory}/run/nlm-failover/link`,
  );
  const devices = ['', 'run', 'nfs/statd', 'run/nlm-failover/marks'].map(
    (name) => statSync(netns.path(`${directory}/${name}`)).dev,
  );
  t.is(new Set(devices).size, 4);
});

test('a process as statd outside of the instance does not get in', async (t) => {
  const netns = await withNetns(t);
  await instance(netns, 'make');
  for (const at of ['', '/run', '/nfs/statd/sm', '/run/nlm-failover/marks']) {
    t.not(await asStatd(netns, '/', `cd ${directory}${at}`).exited, 0, at);
  }
});

test('rpc.statd as it is started in an instance runs as statd, and keeps its list', async (t) => {
  const netns = await withNetns(t);
  await startRpcbind(netns);
  await instance(netns, 'make');
  await netns.run('mount', '--rbind', `${directory}/nfs`, '/var/lib/nfs');
  const [, statd] = instanceDaemons('/bin/true');
  if (statd === undefined) return void t.fail();
  const [command, ...args] = statd.argv;
  netns.start(command, args);
  await waitFor(
    'rpc.statd',
    async () => (await netns.start('rpcinfo', ['-T', 'udp', '127.0.0.1', 'status']).exited) === 0,
  );
  const who = await netns.run('ps', '-o', 'user=', '-C', 'rpc.statd');
  t.is(who.trim(), 'statd');
  const monitor = join(import.meta.dirname, 'sm-mon-inside.js');
  const request = { procedure: 'mon', monName: '10.88.1.21', myName: 'A' };
  await netns.run(process.execPath, monitor, JSON.stringify([request]));
  t.deepEqual(readdirSync(netns.path(`${directory}/nfs/statd/sm`)), ['10.88.1.21']);
});

test('a process of the instance that has another root shows root nothing of it', async (t) => {
  const netns = await withNetns(t);
  await netns.run('ip', 'netns', 'add', `nfs-${address}`);
  await instance(netns, 'make');
  // Linux 6.18 numbers namespaces in batches of each CPU, and binds only one with a higher number than the own one has.
  const bind = `for cpu in $(seq 0 $(($(nproc) - 1))); do
    taskset -c $cpu unshare --mount=${directory}/mnt --propagation slave true 2>/dev/null && exit; done`;
  await netns.run('sh', '-c', bind);
  await netns.run(
    'sh',
    '-c',
    'mkdir -p /run/root/proc/fs/nfsd; echo 7777 >/run/root/proc/fs/nfsd/threads; chmod -R a+rX /run/root',
  );
  const change = 'chroot("/run/root") or die "chroot: $!"; $| = 1; print "ready\\n"; sleep 60';
  const inside = ['nsenter', `--net=/run/netns/nfs-${address}`, `--mount=${directory}/mnt`, '--'];
  const process = netns.start(inside[0] ?? '', [
    ...inside.slice(1),
    ...drop,
    'unshare',
    '--user',
    '--map-root-user',
    'perl',
    '-e',
    change,
  ]);
  await process.saw(/ready/);
  t.is(
    await netns.run(globalThis.process.execPath, script, 'read', address, '/proc/fs/nfsd/threads'),
    'none',
  );
});

/** Exchanges directories and links to another one in the working directory, as fast as it can, until /run/stop is there. */
const exchange = `
const fs = require('node:fs');
const all = [];
for (let i = 0; i < 20; i += 1) {
  const [directory, link] = ['d' + i, '.l' + i];
  fs.mkdirSync(directory);
  for (let k = 0; k < 30; k += 1) fs.writeFileSync(directory + '/f' + k, '');
  fs.symlinkSync('/run/others', link);
  all.push([directory, link]);
}
console.log('ready');
while (!fs.existsSync('/run/stop'))
  for (const [directory, link] of all)
    for (const [from, to] of [[directory, 'x'], [link, directory], ['x', link]])
      try { fs.renameSync(from, to); } catch {}
`;

test('root removes an instance while statd exchanges directories for links there: nothing else goes, and it is gone', async (t) => {
  const netns = await withNetns(t);
  const fill = 'mkdir -m 700 /run/others; cd /run/others; for i in 1 2 3 4 5 6 7 8 9; do : >$i; done';
  await netns.run('sh', '-c', fill);
  await writeFile(netns.path('/run/exchange.cjs'), exchange);
  for (let round = 0; round < 4; round += 1) {
    await instance(netns, 'make');
    const racing = asStatd(netns, `${directory}/nfs/statd/sm`, `exec ${process.execPath} /run/exchange.cjs`);
    await racing.saw(/ready/);
    await instance(netns, 'remove');
    t.is(readdirSync(netns.path('/run/others')).length, 9, `round ${round}`);
    t.false(existsSync(netns.path(directory)));
    await netns.run('touch', '/run/stop');
    await racing.exited;
    await netns.run('rm', '/run/stop');
  }
});
