// lockd-netns: a daemon of an instance dies; status and its exit code say so, and takeover mends what it can without a grace.
import { lockThrough, prepareServer, scenario } from './scenario.js';
import { nlmFailover, prepareVolumes, tool } from './site.js';

interface Status {
  readonly lockManager: {
    readonly daemons: Readonly<Record<string, string>>;
    readonly counts: Readonly<Record<string, number>>;
    readonly inGrace: boolean;
    readonly graceLeft: number;
    readonly clients: number;
  };
}

/** This one ends by itself. */
const graceSeconds = 30;
const healthy = { rpcbind: 'running', 'rpc.statd': 'running', 'rpc.mountd': 'running', lockd: 'running' };

scenario('lockd-netns: status names a dead daemon, and ends with 1', async (t, lab) => {
  const { a, moving } = lab;
  const ports = { mountd: 20048, statd: 662, lockd: 32803 };
  for (const name of ['holder', 'rival'] as const) void lab.c.client(name).setUp();
  await prepareVolumes(lab, a, [moving]);
  await prepareServer(lab, a, [moving], { driver: 'lockd-netns', graceSeconds, ports });
  const status = async () => {
    const result = await nlmFailover(a, ['status'], false);
    return { exitCode: result.exitCode, ...(result.lines[0] as unknown as Status).lockManager };
  };
  const exec = (...command: string[]) =>
    a.run([tool, 'exec', moving.address, '--', ...command], { reject: false, timeoutSeconds: 200 });
  const kill = (daemon: string, signal = 'KILL') =>
    a.run(
      'for pid in $(ip netns pids "nfs-$1"); do [ "$(cat /proc/$pid/comm)" = "$2" ] && kill -s "$3" $pid; done; :',
      { args: [moving.address, daemon, signal] },
    );

  await nlmFailover(a, ['takeover', moving.address]);
  const begun = await status();
  t.like(begun, { exitCode: 0, daemons: healthy, counts: { 'nfsd threads': 8 }, clients: 0 });
  t.true(begun.inGrace && begun.graceLeft <= graceSeconds, `${begun.graceLeft} s of ${graceSeconds} s left`);
  await lockThrough(lab, moving); // waits out the grace
  t.like(await status(), { exitCode: 0, inGrace: false, graceLeft: 0, clients: 1 });
  // Twice is once, also where the first time there was nobody to notify: no new grace, and the lock stays.
  const again = await nlmFailover(a, ['takeover', moving.address]);
  t.deepEqual([...new Set(again.lines.map((line) => line.state ?? line.result))], ['skipped', 'done']);
  // What can be started anew without a grace is.
  await kill('rpc.mountd');
  await kill('rpc.statd', 'STOP');
  const mended = await nlmFailover(a, ['takeover', moving.address]);
  const done = mended.lines.filter((line) => line.state === 'done');
  t.deepEqual(
    done.map((line) => line.step),
    ['B-2'],
  );
  t.regex(done[0]?.detail ?? '', /started anew: rpc\.statd, rpc\.mountd/);
  t.like(await status(), { exitCode: 0, daemons: healthy, inGrace: false, clients: 1 });
  t.is((await a.nfsLocks()).length, 1);
  const seen = await exec('sh', '-c', 'exportfs -v; echo --; ip -br address; echo --; rpcinfo -p; exit 7');
  t.is(seen.exitCode, 7);
  const [exported = '', addresses = '', registered = ''] = seen.stdout.split('--\n');
  t.regex(exported, /vol1/);
  t.regex(addresses, new RegExp(`nfs0@\\S+ +UP .*${moving.address}/`));
  // program vers proto port service
  const listens = registered.split('\n').map((line) => line.trim().split(/ +/));
  for (const [program, port] of [
    ['100005', ports.mountd],
    ['100024', ports.statd],
    ['100021', ports.lockd],
  ] as const) {
    const of = listens.filter(([number]) => number === program);
    t.deepEqual(new Set(of.map((columns) => columns[2])), new Set(['udp', 'tcp']), program);
    t.deepEqual(new Set(of.map((columns) => columns[3])), new Set([String(port)]), program);
  }
  const theirs = ['rpc.mountd', 'rpc.statd'];
  for (const daemon of theirs) await kill(daemon, 'STOP');
  t.like(await status(), {
    exitCode: 1,
    daemons: { ...healthy, 'rpc.mountd': 'silent', 'rpc.statd': 'silent' },
  });
  for (const daemon of theirs) await kill(daemon, 'CONT');
  await kill('rpcbind');
  t.like(await status(), { exitCode: 1, daemons: { rpcbind: 'dead' } });
  // A new one knows none of those that had registered with the old one.
  await exec('rpcbind');
  t.deepEqual((await status()).daemons, {
    rpcbind: 'running',
    'rpc.statd': 'unregistered',
    'rpc.mountd': 'unregistered',
    lockd: 'unregistered',
  });
  for (const daemon of theirs) await kill(daemon);
  t.like(await status(), { exitCode: 1, daemons: { 'rpc.mountd': 'dead', 'rpc.statd': 'dead' } });
  // lockd waits for the statd that the new rpcbind does not know: 9 s for each client, 60 s on Linux 7.2.
  await exec('rpc.nfsd', '0');
  t.like(await status(), {
    exitCode: 1,
    counts: { 'nfsd threads': 0 },
    daemons: { rpcbind: 'running', lockd: 'dead' },
  });
  // On Linux 6.1 the lock of a dead nfsd is still there, and A-3 drops it all the same; newer ones drop it by themselves.
  const { stdout: kernel } = await a.run(['uname', '-r']);
  t.is((await a.nfsLocks()).length, kernel.startsWith('6.1.') ? 1 : 0, kernel);
  await nlmFailover(a, ['release', moving.address]);
  t.deepEqual(await a.nfsLocks(), []);

  // What a takeover leaves that is ended in B-2, or a release in A-4: release clears it away. Every moment: test/wire/unfinished.
  const made = `/run/nlm-failover/instances/${moving.address}`;
  for (const unfinished of [
    `mkdir -p "$1"; mount -t tmpfs -o mode=0700 tmpfs "$1"; : >"$1/mnt"; : >"/run/netns/$2"`,
    `mkdir -p "$1"; ip netns add "$2"; ip link add link vec0 name nfs0 netns "$2" type macvlan mode bridge`,
  ]) {
    await a.run(unfinished, { args: [made, `nfs-${moving.address}`] });
    const released = await nlmFailover(a, ['release', moving.address], false);
    t.is(released.exitCode, 0, `${unfinished}: ${released.stdout}`);
    t.is(
      (await a.run('ls -d "$1" "/run/netns/$2"', { args: [made, `nfs-${moving.address}`], reject: false }))
        .stdout,
      '',
    );
  }
});
