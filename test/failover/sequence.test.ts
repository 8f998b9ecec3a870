// The whole command on a rehearsal host: real record, real packets, no root.
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type LoopbackClient, startLoopbackClient } from '../demo/loopback-client.js';
import { makeRehearsal, type RehearsalNode, type RehearsalSite } from '../helpers/rehearsal-site.js';
import { addClient, jsonLines } from '../helpers/rehearsal-steps.js';

const floatingIp = '127.77.3.1';
let nextClient = 20;

interface Notified {
  readonly monName: string;
  readonly state: number;
  readonly source: string;
}

interface Fixture {
  readonly site: RehearsalSite;
  readonly client: LoopbackClient;
  readonly notified: Notified[];
}

async function fixture(
  t: ExecutionContext,
  options: { stateDirectory?: string; fsids?: number[] } = {},
): Promise<Fixture> {
  const notified: Notified[] = [];
  nextClient += 1;
  const client = await startLoopbackClient(`127.77.3.${nextClient}`, 0, (monName, state, source) =>
    notified.push({ monName, state, source }),
  );
  const site = makeRehearsal({ address: floatingIp, rpcbindPort: client.port, ...options });
  if (options.stateDirectory !== undefined) shareStateDirectory(site, options.stateDirectory);
  t.teardown(() => {
    client.close();
    site.remove();
  });
  return { site, client, notified };
}

const head = (verb: string) =>
  `${verb} 127.77.3.1 on B, lock manager lockd (auto: not nlm-fsid: no /proc/fs/nfsd/nlm_unlock, no /proc/fs/nfsd/nlm_set_ip_grace; not lockd-netns: a rehearsal has no kernel of its own)
`;

const takeoverPlan = `B-1  mount: /dev/state1 on /mnt/state1, /dev/vol1 on /mnt/vol1, /dev/vol2 on /mnt/vol2
     dumpe2fs -h /dev/state1 | grep needs_recovery   # there: mounted elsewhere or crashed; go on only if the other node is dead
     mkdir -p /mnt/state1   # only where there is none
     mount -t ext4 /dev/state1 /mnt/state1
     findmnt -no MAJ:MIN -T /mnt/state1   # not that of anything in "exportfs -v" that is not sec=krb5, unless trust_clients is set
     # this node becomes the owner of 127.77.3.1 in /mnt/state1/sm_127.77.3.1/monitors.db, one epoch up
     umount /mnt/state1   # only where another node has not released 127.77.3.1: then nothing more is done
     dumpe2fs -h /dev/vol1 | grep needs_recovery   # there: mounted elsewhere or crashed; go on only if the other node is dead
     mkdir -p /mnt/vol1   # only where there is none
     mount -t ext4 /dev/vol1 /mnt/vol1
     dumpe2fs -h /dev/vol2 | grep needs_recovery   # there: mounted elsewhere or crashed; go on only if the other node is dead
     mkdir -p /mnt/vol2   # only where there is none
     mount -t ext4 /dev/vol2 /mnt/vol2
B-2  grace: fsid 1234 (/mnt/vol1)
     # a new odd NSM state for 127.77.3.1 (and for each address whose locks go too), and the list of clients to notify, in monitors.db
     echo 0 > /proc/fs/nfsd/threads   # only where nfsd runs
     # wait until "rpcinfo -p" no longer lists program 100021: a lock manager that is started while the old one ends answers a reclaim twice
     # /mnt/state1/sm_127.77.3.1/journal.B is made anew and begins with the record as it is; chattr +S where its file system knows that
     mount -t tmpfs -o mode=0700,size=8m,nr_inodes=1024,nodev,nosuid,noexec tmpfs /run/nlm-failover/marks   # where statd's user leaves marks; unless it is mounted
     ln -sfn /mnt/state1/sm_127.77.3.1/journal.B /run/nlm-failover/frozen/127.77.3.1   # until B-3 nobody leaves the record
     ln -sfn /mnt/state1/sm_127.77.3.1/journal.B /run/nlm-failover/serving/127.77.3.1   # the callout records for this address
     start-nfsd
     # wait until "rpcinfo -p" lists program 100021: a client that is notified before gives up its reclaim
     # exportfs -o ... again for every other address served here, if the restart took their exports (127.77.3.1 comes in B-5)
     # the callout that rpc.statd was given is run as its user, with \`check\`: it writes nothing
B-2  grace: fsid 5678 (/mnt/vol2)
     # in the same grace as fsid 1234
B-5  export: /mnt/vol1, /mnt/vol2
     exportfs -v -i -o rw,no_subtree_check,fsid=1234 '*:/mnt/vol1'
     exportfs -v -i -o rw,no_subtree_check,fsid=5678 '*:/mnt/vol2'
B-4  floating IP up: 127.77.3.1 on eth0
     ip address add 127.77.3.1/24 dev eth0
     arping -U -c 1 -I eth0 127.77.3.1   # iputils-arping; with the package arping:
     arping -U -S 127.77.3.1 -c 1 -w 0.1 -i eth0 127.77.3.1
B-3  notify the clients: SM_NOTIFY from 127.77.3.1
     # SM_NOTIFY from 127.77.3.1 to each client of "nlm-failover clients 127.77.3.1", naming 127.77.3.1, nfs.example.com, nfs
     # by hand: nlm-failover notify 127.77.3.1
     rm -f /run/nlm-failover/frozen/127.77.3.1   # the callout records who goes, too
`;

const releasePlan = `A-1  floating IP down: 127.77.3.1 on eth0
     echo 1 > /proc/sys/net/ipv4/conf/eth0/promote_secondaries   # only where other addresses of its network would go with it
     ip address del 127.77.3.1/24 dev eth0
     rm -f /run/nlm-failover/serving/127.77.3.1   # the callout stops recording for this address
     ss -HtnK state connected src 127.77.3.1
     # lockd's locks in /proc/locks, on /mnt/vol1, /mnt/vol2, go into monitors.db, for "nlm-failover audit" after the takeover
A-2  unexport: /mnt/vol1, /mnt/vol2
     exportfs -u '*:/mnt/vol1'   # where etab has another name for it: that
     exportfs -u '*:/mnt/vol2'   # where etab has another name for it: that
A-3  drop the locks: fsid 1234 (/mnt/vol1)
     echo '/mnt/vol1' > /proc/fs/nfsd/unlock_filesystem   # then see in /proc/locks that no lockd lock of /dev/vol1 is left
A-3  drop the locks: fsid 5678 (/mnt/vol2)
     echo '/mnt/vol2' > /proc/fs/nfsd/unlock_filesystem   # then see in /proc/locks that no lockd lock of /dev/vol2 is left
A-4  unmount: /mnt/vol1, /mnt/vol2, /mnt/state1
     exportfs -f
     # umount of what was mounted for 127.77.3.1, and is not so in the configuration any more: only where it was changed meanwhile
     umount /mnt/vol2
     mount -t ext4 /dev/vol2 /mnt/vol2   # only where somebody on this node still has /dev/vol2
     umount /mnt/vol1
     mount -t ext4 /dev/vol1 /mnt/vol1   # only where somebody on this node still has /dev/vol1
     # /mnt/state1/sm_127.77.3.1/monitors.db: released; the record is closed
     umount /mnt/state1
     mount -t ext4 /dev/state1 /mnt/state1   # only where somebody on this node still has /dev/state1
`;

/** Both nodes see one directory at the same path, as with a cluster file system. */
function shareStateDirectory({ a, b, directory }: RehearsalSite, stateDirectory: string): void {
  mkdirSync(path.join(directory, stateDirectory));
  for (const node of [a, b]) {
    node.link(stateDirectory, path.join(directory, stateDirectory));
  }
}

async function steps(node: RehearsalNode, args: readonly string[]) {
  const noWait = args[0] === 'takeover' ? ['--no-wait'] : [];
  const result = await node.here([...args, ...noWait, '--json']);
  return { ...result, lines: jsonLines(result.stdout) };
}

for (const stateDirectory of [undefined, '/shared_storage']) {
  const where = stateDirectory === undefined ? 'on the moving volume' : 'on shared storage';
  test(`A to B and back, the record ${where}`, async (t) => {
    const { site, client, notified } = await fixture(
      t,
      stateDirectory === undefined ? {} : { stateDirectory },
    );
    const { a, b } = site;
    const first = await steps(a, ['takeover', floatingIp]);
    t.is(first.exitCode, 0, first.stderr);
    t.deepEqual(
      first.lines.map((line) => line.state ?? line.result),
      ['done', 'done', 'done', 'done', 'skipped', 'done'],
    );
    addClient(a, client.address);

    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const released = await steps(from, ['release', floatingIp]);
      t.is(released.exitCode, 0, released.stderr);
      t.is(from.read('/proc/self/mountinfo'), '');
      t.is(from.read('/var/lib/nfs/etab'), '');
      t.is(from.read('/addresses.json'), '[]');
      t.false(existsSync(path.join(from.root, 'run/nlm-failover/serving', floatingIp)));
      const before = notified.length;
      const taken = await steps(to, ['takeover', floatingIp]);
      t.is(taken.exitCode, 0, taken.stderr + taken.stdout);
      t.deepEqual(taken.lines.at(-1)?.clients, { notified: 1, notNotified: 0 });
      // Each at least once: a client that answers late is sent to again.
      const names = new Set(notified.slice(before).map((one) => one.monName));
      t.deepEqual(
        [...names].toSorted(),
        [floatingIp, 'nfs', 'nfs.example.com'],
        'the address, the name and its short form',
      );
    }
    const states = [...new Set(notified.map((one) => one.state))];
    t.is(states.length, 2, 'one new state per takeover');
    t.true(states.every((state) => state % 2 === 1));
    t.true((states[1] ?? 0) > (states[0] ?? 0));
    t.deepEqual([...new Set(notified.map((one) => one.source))], [floatingIp]);
    const clients = await steps(a, ['clients', floatingIp]);
    t.like(jsonLines(clients.stdout)[0], { client: client.address, fsid: '1234', node: 'A' });
  });
}

test('takeover from an owner that has not released needs --fenced, and touches nothing without', async (t) => {
  const { site } = await fixture(t, { stateDirectory: '/shared_storage' });
  const { a, b } = site;
  await steps(a, ['takeover', floatingIp]);
  const refused = await steps(b, ['takeover', floatingIp]);
  t.is(refused.exitCode, 4);
  t.regex(refused.stderr, /--fenced/);
  t.is(b.read('/proc/self/mountinfo'), '');
  const forced = await steps(b, ['takeover', floatingIp, '--fenced']);
  t.is(forced.exitCode, 0, forced.stderr);
  // The old owner is back from the dead: it may touch nothing.
  const late = await steps(a, ['release', floatingIp]);
  t.is(late.exitCode, 4);
  t.not(a.read('/proc/self/mountinfo'), '');
});

test('a client that does not answer stays in the record: exit code 5, and notify reaches it later', async (t) => {
  const { site, client, notified } = await fixture(t);
  const { a, b } = site;
  await steps(a, ['takeover', floatingIp]);
  addClient(a, client.address);
  const absent = '127.77.3.250';
  addClient(a, absent);
  await steps(a, ['release', floatingIp]);
  const taken = await steps(b, ['takeover', floatingIp, '--notify-deadline', '4']);
  t.is(taken.exitCode, 5);
  t.like(taken.lines.at(-1), { result: 'not-notified', clients: { notified: 1, notNotified: 1 } });
  t.regex(taken.stdout, /127\.77\.3\.250/);
  const state = notified.at(-1)?.state;

  const late: Notified[] = [];
  const woken = await startLoopbackClient(absent, client.port, (monName, lateState, source) =>
    late.push({ monName, state: lateState, source }),
  );
  t.teardown(() => woken.close());
  const again = await steps(b, ['notify', floatingIp, '--notify-deadline', '10']);
  t.is(again.exitCode, 0, again.stderr);
  t.deepEqual([...new Set(late.map((one) => one.state))], [state]);
  const third = await steps(b, ['notify', floatingIp]);
  t.deepEqual(third.lines.at(-1)?.clients, { notified: 0, notNotified: 0 });
});

test('clients who are notified after the grace period has ended are counted', async (t) => {
  const { site, client } = await fixture(t);
  const { a, b } = site;
  await steps(a, ['takeover', floatingIp]);
  addClient(a, client.address);
  await steps(a, ['release', floatingIp]);
  await steps(b, ['takeover', floatingIp, '--steps', 'B-1,B-2,B-5,B-4']);
  b.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  const late = await steps(b, ['notify', floatingIp]);
  t.deepEqual(late.lines.at(-1)?.clients, { notified: 1, notNotified: 0 });
  t.regex(late.stdout, /1 were notified after the end of the grace period/);
});

test('the driver nlm-fsid: one write per fsid to each of the two files, and nothing else restarts', async (t) => {
  const { site, client } = await fixture(t, { fsids: [1234, 5678] });
  const { a, b } = site;
  for (const node of [a, b]) {
    for (const name of ['nlm_unlock', 'nlm_set_ip_grace']) node.write(`/proc/fs/nfsd/${name}`, '');
    node.write('/proc/fs/nfsd/threads', '8\n');
  }
  await steps(a, ['takeover', floatingIp]);
  addClient(a, client.address);
  t.is((await steps(a, ['release', floatingIp])).exitCode, 0);
  t.is(a.read('/proc/fs/nfsd/nlm_unlock'), '1234\n5678\n');
  const taken = await steps(b, ['takeover', floatingIp]);
  t.deepEqual(
    taken.lines.filter((line) => line.step === 'B-2').map((line) => [line.fsid, line.state]),
    [
      ['1234', 'done'],
      ['5678', 'done'],
    ],
  );
  t.is(b.read('/proc/fs/nfsd/nlm_set_ip_grace'), '1234\n5678\n');
  t.is(b.read('/proc/fs/lockd/nlm_end_grace'), 'Y\n', 'lockd was not restarted');
  t.deepEqual(taken.lines.at(-1)?.clients, { notified: 1, notNotified: 0 });
});

test('--dry-run prints every command in order and touches nothing', async (t) => {
  const { site } = await fixture(t, { fsids: [1234, 5678] });
  const taken = await site.b.here(['takeover', floatingIp, '--dry-run']);
  t.is(taken.exitCode, 0, taken.stderr);
  t.is(taken.stdout, head('takeover') + takeoverPlan);
  const released = await site.b.here(['release', floatingIp, '--dry-run']);
  t.is(
    released.stdout,
    head('release').replace(
      '; not lockd-netns: a rehearsal has no kernel of its own',
      '; not lockd-netns: this command does not do B-4 and B-5',
    ) + releasePlan,
  );
  t.is(site.b.read('/proc/self/mountinfo'), '');
  t.false(existsSync(path.join(site.b.root, 'run/nlm-failover')));
});

test('--steps runs only those, in the order of the plan, and names what it does not know', async (t) => {
  const { site } = await fixture(t);
  const wrong = await site.a.here(['takeover', floatingIp, '--steps', 'B-9']);
  t.is(wrong.exitCode, 2);
  t.regex(wrong.stderr, /"B-9" is no step of takeover/);
  const unmounted = await steps(site.a, ['takeover', floatingIp, '--steps', 'B-2']);
  t.is(unmounted.exitCode, 1);
  t.regex(unmounted.stderr, /not mounted/);
  const two = await steps(site.a, ['takeover', floatingIp, '--steps', 'B-2,B-1']);
  t.deepEqual(
    two.lines.map((line) => line.step ?? line.result),
    ['B-1', 'B-2', 'done'],
  );
});

for (const stateDirectory of [undefined, '/shared_storage']) {
  const where = stateDirectory === undefined ? 'on the moving volume' : 'on shared storage';
  test(`a release that cannot unmount keeps the address, the record ${where}`, async (t) => {
    const { site } = await fixture(t, stateDirectory === undefined ? {} : { stateDirectory });
    const { a, b } = site;
    await steps(a, ['takeover', floatingIp]);
    a.write('/umount-fails', 'target is busy');
    const failed = await steps(a, ['release', floatingIp]);
    t.is(failed.exitCode, 1);
    t.regex(failed.stderr, /target is busy/);
    t.is((await steps(b, ['takeover', floatingIp])).exitCode, 4, 'it was not handed over');
    a.remove('/umount-fails');
    t.is((await steps(a, ['release', floatingIp])).exitCode, 0);
    t.is((await steps(b, ['takeover', floatingIp])).exitCode, 0);
  });
}

test('a takeover that is complete is not done again when its grace is long over', async (t) => {
  const { site, client, notified } = await fixture(t);
  const { a, b } = site;
  await steps(a, ['takeover', floatingIp]);
  addClient(a, client.address);
  await steps(a, ['release', floatingIp]);
  await steps(b, ['takeover', floatingIp]);
  b.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  const before = notified.length;
  const again = await steps(b, ['takeover', floatingIp]);
  t.true(again.lines.slice(0, -1).every((line) => line.state === 'skipped'));
  t.is(notified.length, before);
  t.is(
    b.read('/proc/fs/lockd/nlm_end_grace'),
    'Y\n',
    'lockd was not restarted under the locks reclaimed since',
  );
});

test('a takeover that stopped before B-3 enters grace again when the first one is over', async (t) => {
  const { site, client } = await fixture(t);
  const { a, b } = site;
  await steps(a, ['takeover', floatingIp]);
  addClient(a, client.address);
  await steps(a, ['release', floatingIp]);
  await steps(b, ['takeover', floatingIp, '--steps', 'B-1,B-2,B-5']);
  const still = await steps(b, ['takeover', floatingIp, '--steps', 'B-2']);
  t.is(still.lines[0]?.state, 'skipped');
  b.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  const again = await steps(b, ['takeover', floatingIp]);
  t.is(again.lines.find((line) => line.step === 'B-2')?.state, 'done');
  t.deepEqual(again.lines.at(-1)?.clients, { notified: 1, notNotified: 0 });
});

test('a client that cannot be resolved is named, exit code 1, and everybody else is served', async (t) => {
  const { site, client, notified } = await fixture(t);
  const { a } = site;
  const another = '    [[floating_ip.filesystem.export]]\n    clients = "nosuch.example.com"\n';
  a.write('/etc/nlm-failover.toml', a.read('/etc/nlm-failover.toml') + another);
  t.is((await a.here(['takeover', floatingIp, '--no-wait'])).exitCode, 0);
  addClient(a, client.address);
  t.is((await a.here(['release', floatingIp])).exitCode, 0);
  a.write('/unresolvable', 'nosuch.example.com\n');
  const taken = await a.here(['takeover', floatingIp, '--no-wait', '--json']);
  const lines = jsonLines(taken.stdout);
  const undone = [
    '/mnt/vol1 is not exported to nosuch.example.com, a name that cannot be resolved (exportfs: Failed to resolve nosuch.example.com)',
  ];
  t.is(taken.exitCode, 1);
  t.deepEqual(
    lines.map(({ step, state }) => [step, state]),
    [
      ['B-1', 'done'],
      ['B-2', 'done'],
      ['B-5', 'done'],
      ['B-4', 'done'],
      ['B-3', 'done'],
      [undefined, undefined],
    ],
  );
  t.like(lines.at(-1), { result: 'incomplete', undone });
  t.true(notified.length > 0);
  t.regex(a.read('/var/lib/nfs/etab'), /^\/mnt\/vol1\t\*\([^\n]*\)\n$/);
  const again = await a.here(['takeover', floatingIp, '--no-wait']);
  t.is(again.exitCode, 1);
  t.regex(
    again.stdout,
    /done in .*, but not everything\n {2}NOT DONE: \/mnt\/vol1 is not exported to nosuch/,
  );
  t.regex((await a.here(['status'])).stdout, /takeover on A at .*: failed \(\/mnt\/vol1 is not exported/);
  a.remove('/unresolvable');
  t.is((await a.here(['takeover', floatingIp, '--no-wait'])).exitCode, 0);
  t.regex(a.read('/var/lib/nfs/etab'), /nosuch\.example\.com/);
});

test('an empty mount point is never exported', async (t) => {
  const { site } = await fixture(t, { stateDirectory: '/shared_storage' });
  const exported = await steps(site.a, ['takeover', floatingIp, '--steps', 'B-2,B-5']);
  t.is(exported.exitCode, 1);
  t.regex(exported.stderr, /\/mnt\/vol1 is not exported: \/dev\/vol1 is not mounted there/);
  t.is(site.a.read('/var/lib/nfs/etab'), '');
});
