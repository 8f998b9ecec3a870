// What was mounted for an address is found again, and given up as it was taken over, whatever the configuration says by then: release and status, on a
// rehearsal host.
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';

const address = '127.77.31.1';
const other = '127.77.31.2';
const file = '/etc/nlm-failover.toml';

async function served(t: ExecutionContext, { more = false } = {}) {
  const site = makeRehearsal({
    address,
    rpcbindPort: 1,
    fsids: [1234, 1235],
    others: more ? [{ address: other, fsid: 1236 }] : [],
  });
  t.teardown(() => site.remove());
  const { a } = site;
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  const before = a.read(file);
  const etab = () => a.read('/var/lib/nfs/etab');
  return { a, b: site.b, before, etab, mounted: () => a.read('/proc/self/mountinfo') };
}

/** The second file system, as the configuration has it. */
function second(text: string): string {
  const at = text.indexOf('  [[floating_ip.filesystem]]', text.indexOf('1234'));
  const next = /\n\[\[floating_ip\]\]|\n\[/.exec(text.slice(at + 30))?.index ?? text.length;
  return text.slice(at, at + 30 + next);
}

async function wrong(a: RehearsalNode, of = address): Promise<string> {
  const { stdout } = await a.here(['status', '--json']);
  const all = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { address: string; isHere: boolean; wrong: string[] });
  return all
    .filter((one) => one.address === of && one.isHere)
    .flatMap((one) => one.wrong)
    .join('\n');
}

const note = (a: RehearsalNode) => path.join(a.root, 'run/nlm-failover/mounts', address);

/** A lock that lockd holds on /dev/vol2, as the kernel lists it. */
const locked = '1: POSIX  ADVISORY  WRITE 7 07:02:12 0 EOF\n';

test('a file system that was taken out of the configuration is seen, and given up with its export and its locks', async (t) => {
  const { a, before, etab, mounted } = await served(t);
  t.regex(etab(), /\/mnt\/vol2/);
  a.write('/proc/locks', locked);
  a.write(file, before.replace(second(before), ''));
  t.notRegex(a.read(file), /vol2/);
  t.regex(
    await wrong(a),
    /^\/dev\/vol2 is mounted on \/mnt\/vol2 for it, and that is not in the configuration any more$/m,
  );
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 0, release.stderr);
  t.regex(
    release.stdout,
    /^ {2}NOTE: \/dev\/vol2 on \/mnt\/vol2, as it was taken over: it is not in the configuration any more$/m,
  );
  t.is(mounted(), '');
  t.is(etab(), '');
  t.is(a.read('/proc/locks'), '');
  t.regex(release.stdout, /A-1 .* 1 lock held/);
  t.false(existsSync(note(a)));
  t.is((await a.here(['status', '--is-served', address])).exitCode, 7);
});

for (const [what, edit] of [
  ['taken out of the configuration', (text: string) => text.replace(second(text), '')],
  ['given another Export_Id', (text: string) => text.replace('export_id = 1235', 'export_id = 9')],
] as const)
  test(`NFS-Ganesha: a file system that was ${what} is given up with the Export_Id that it has`, async (t) => {
    const site = makeRehearsal({ address, rpcbindPort: 1, fsids: [1234, 1235] });
    t.teardown(() => site.remove());
    const { a } = site;
    const before = a
      .read(file)
      .replace(/^driver = .*\n/m, '')
      .replace(/^\[lock_manager\]\n/m, '[lock_manager]\ndriver = "ganesha"\n')
      .replaceAll(/^( *)fsid = (\d+)$/gm, '$1fsid = $2\n$1export_id = $2');
    a.write(file, before);
    a.write('/dbus.json', '{ "inGrace": false, "exports": [] }');
    const taken = await a.here(['takeover', address, '--no-wait']);
    t.is(taken.exitCode, 0, taken.stderr);
    const exported = () => (JSON.parse(a.read('/dbus.json')) as { exports: [number, string][] }).exports;
    t.deepEqual(
      exported().map(([id]) => id),
      [1234, 1235],
    );
    a.write(file, edit(before));
    t.not(a.read(file), before);
    const release = await a.here(['release', address]);
    t.is(release.exitCode, 0, release.stdout + release.stderr);
    t.regex(release.stdout, /^ {2}NOTE: .*vol2.*, as it was taken over: /m);
    t.deepEqual(exported(), []);
    t.is(a.read('/proc/self/mountinfo'), '');
  });

test('mounts that were left to others while it was served: what was mounted for it is unmounted, the record last', async (t) => {
  const { a, before, mounted } = await served(t);
  a.write(file, before.replace('interface = "eth0"', 'interface = "eth0"\nmanaged_by_others = ["mount"]'));
  t.regex(a.read(file), /managed_by_others/);
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 0, release.stderr);
  t.is(mounted(), '');
  t.false(existsSync(note(a)));
});

test('a mount point that was edited: what is mounted in the old one is seen, and given up there', async (t) => {
  const { a, before, etab, mounted } = await served(t);
  a.write('/proc/locks', locked);
  a.write(file, before.replaceAll('/mnt/vol2', '/srv/vol2'));
  t.regex(await wrong(a), /^\/dev\/vol2 is mounted on \/mnt\/vol2, and not on \/srv\/vol2$/m);
  t.regex(await wrong(a), /^\/dev\/vol2 is mounted on \/mnt\/vol2 for it, /m);
  const dry = await a.here(['release', '--dry-run', address]);
  t.regex(dry.stdout, /exportfs -u \S*\/mnt\/vol2/, 'the export that is there');
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 0, release.stderr);
  t.is(mounted() + etab(), '');
  t.is(a.read('/proc/locks'), '');
});

test('the same where nobody noted it: said (A-4 looks who has the device, see test/wire/unmounted.test.ts)', async (t) => {
  const { a, before, mounted } = await served(t);
  const table = mounted();
  t.is((await a.here(['release', address])).exitCode, 0);
  a.write('/proc/self/mountinfo', table.split('\n').find((line) => line.includes('/mnt/vol2')) + '\n');
  a.write(file, before.replaceAll('/mnt/vol2', '/srv/vol2'));
  t.false(existsSync(note(a)));
  t.is((await a.here(['status', '--is-served', address])).exitCode, 1);
  t.regex(await wrong(a), /^\/dev\/vol2 is mounted on \/mnt\/vol2, and not on \/srv\/vol2$/m);
});

test('a device that was edited: what was mounted for it is given up', async (t) => {
  const { a, before, etab, mounted } = await served(t);
  a.write(file, before.replace('/dev/vol2', '/dev/state2'));
  t.regex(await wrong(a), /^\/dev\/vol2 is mounted on \/mnt\/vol2 for it, /m);
  const dry = await a.here(['release', '--dry-run', address]);
  t.regex(dry.stdout, /^NOTE: \/dev\/vol2 on \/mnt\/vol2, as it was taken over: .*otherwise by now$/m);
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 0, release.stderr);
  t.is(mounted() + etab(), '');
});

test('the same where nobody noted it: nothing is touched', async (t) => {
  const { a, before, mounted } = await served(t);
  a.remove('/run/nlm-failover/mounts/' + address);
  a.write(file, before.replace('/dev/vol2', '/dev/state2'));
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 1);
  t.regex(
    release.stderr,
    /\/mnt\/vol2 has \/dev\/vol2 mounted, and the configuration says \/dev\/state2: not touched/,
  );
  t.regex(mounted(), /\/mnt\/vol2/);
});

test('the device of the record that was edited: nothing is touched, as the next owner would not find the record', async (t) => {
  const { a, before, mounted } = await served(t);
  a.write(file, before.replace('/dev/state1', '/dev/state2'));
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 1);
  t.regex(release.stderr, /\/mnt\/state1 has \/dev\/state1 mounted, .*: not touched/);
  t.regex(mounted(), /\/mnt\/state1/);
});

test('the mount point of the record that was edited: the record is handed over', async (t) => {
  const { a, b, before, mounted } = await served(t);
  a.write('/proc/locks', locked);
  const after = before.replaceAll('/mnt/state1', '/srv/state1');
  a.write(file, after);
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 0, release.stderr);
  t.regex(release.stdout, /A-1 .* 1 lock held/);
  t.is(mounted(), '');
  b.write(file, after.replace('node = "A"', 'node = "B"'));
  const takeover = await b.here(['takeover', address, '--no-wait']);
  t.is(takeover.exitCode, 0, takeover.stderr);
  // What B has noted is the configuration's, on A too.
  t.regex((await b.here(['check', address])).stdout, /^ +ok +nodes/m);
});

test('the same where nobody noted it, or a state directory that is not there: no lock is dropped', async (t) => {
  const stateVolume = /  \[\[floating_ip\.filesystem\]\]\n  device = "\/dev\/state1"\n.*\n.*\n\n/;
  const edits = [
    (text: string) => text.replaceAll('/mnt/state1', '/srv/state1'),
    (text: string) => text.replace(stateVolume, '').replace('/mnt/state1', '/srv/absent'),
  ];
  for (const [index, edit] of edits.entries()) {
    const { a, before, mounted } = await served(t);
    const table = mounted();
    if (index === 0) a.remove('/run/nlm-failover/mounts/' + address);
    a.write('/proc/locks', locked);
    a.write(file, edit(before));
    const release = await a.here(['release', address]);
    t.is(release.exitCode, 1, release.stdout);
    t.regex(release.stderr, /are recorded in .*, which is no journal of this node in \/srv\//);
    t.is(a.read('/proc/locks'), locked);
    t.is(mounted(), table);
  }
});

test('an fsid that was edited: its export goes, and nothing is missed', async (t) => {
  for (const isNoted of [true, false]) {
    const { a, before, etab } = await served(t);
    if (!isNoted) a.remove('/run/nlm-failover/mounts/' + address);
    a.write(file, before.replace('fsid = 1235', 'fsid = 1299'));
    const release = await a.here(['release', address]);
    t.is(release.exitCode, 0, release.stdout + release.stderr);
    t.is(etab(), '');
  }
});

test('an address that was left to others while it was served goes down; one that was theirs must be down', async (t) => {
  const { a, before, etab, mounted } = await served(t);
  const managed = before.replace('interface = "eth0"', 'interface = "eth0"\nmanaged_by_others = ["address"]');
  a.write(file, managed);
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 0, release.stderr);
  t.regex(release.stdout, /^ {2}NOTE: what others do of it by now \(managed_by_others\), this node did /m);
  t.is(mounted() + etab() + a.read('/addresses.json'), '[]');
  const up = JSON.stringify([{ ifname: 'eth0', addr_info: [{ local: address, prefixlen: 24 }] }]);
  a.write('/addresses.json', up);
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  t.is((await a.here(['release', address])).exitCode, 1);
  t.is(a.read('/addresses.json'), up);
});

test('exports that were left to others while it was served: what this node has made goes; what others have since stays', async (t) => {
  const { a, before, etab, mounted } = await served(t);
  const managed = before.replace('interface = "eth0"', 'interface = "eth0"\nmanaged_by_others = ["export"]');
  a.write(file, managed);
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 0, release.stderr);
  t.is(mounted() + etab(), '');
  // Ours again, and then theirs.
  a.write(file, before);
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  const theirs = etab();
  a.write(file, managed);
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  t.is((await a.here(['release', address])).exitCode, 0);
  t.is(etab(), theirs);
});

test('what was mounted for it in one place and is in another by now is not touched, and keeps it here', async (t) => {
  const { a, before, mounted } = await served(t);
  a.write(file, before.replace(second(before), ''));
  // By the number of the block device, which a rehearsal has none of.
  const [number = ''] =
    /\S+:2 /.exec(
      mounted()
        .split('\n')
        .find((line) => line.includes('vol2')) ?? '',
    ) ?? [];
  a.write('/run/nlm-failover/mounts/' + address, `${number.trim()} /dev/vol2 /mnt/before ext4 -\n`);
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 1);
  t.regex(
    release.stderr,
    /\/dev\/vol2 is mounted on \/mnt\/vol2; for 127\.77\.31\.1 \/dev\/vol2 was mounted on \/mnt\/before, .*: not touched/,
  );
  t.regex(mounted(), /\/mnt\/vol2/);
});

test("an umount of it that fails is a release that fails, and the address is still this node's", async (t) => {
  const { a, before, mounted } = await served(t);
  a.write(file, `${before.replace(second(before), '')}\n[timeouts]\nbusy = 1\n`);
  a.write('/umount-fails', 'target is busy');
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 1);
  t.regex(release.stderr, /umount \/mnt\/vol2: .*target is busy/);
  t.regex(await wrong(a), /this node owns it \(epoch 1\), and does not serve it\n.*\/mnt\/vol2 for it/);
  a.remove('/umount-fails');
  t.is((await a.here(['release', address])).exitCode, 0);
  t.is(mounted(), '');
});

test('an address that the configuration has no more, with something mounted, is in status', async (t) => {
  const { a, before } = await served(t, { more: true });
  a.write('/umount-fails', 'target is busy');
  a.write(file, `${before}\n[timeouts]\nbusy = 1\n`);
  t.is((await a.here(['release', address])).exitCode, 1);
  const [head = '', first = '', rest = ''] = before.split(/(?=\n\[\[floating_ip\]\])/);
  t.true(first.includes(address) && rest.includes(other));
  a.write(file, head + rest);
  t.regex(await wrong(a), /^\/dev\/state1 is mounted on \/mnt\/state1 for it, /m);
  t.is(await wrong(a, other), '');
});

test('a file system that has come to another address is left to that one, where this node has taken it over', async (t) => {
  for (const isTaken of [false, true]) {
    const { a, before, etab, mounted } = await served(t, { more: true });
    const moved = second(before);
    const [head = '', first = '', rest = ''] = before.replace(moved, '').split(/(?=\n\[\[floating_ip\]\])/);
    a.write(file, head + first + rest + moved);
    t.regex(a.read(file), /vol2/);
    if (isTaken) t.is((await a.here(['takeover', other, '--no-wait'])).exitCode, 0);
    const release = await a.here(['release', address]);
    t.is(release.exitCode, 0, release.stderr);
    // Else another node would mount it a second time, as the other address owns it there.
    t.is(mounted().includes('/mnt/vol2'), isTaken);
    t.is(etab().includes('/mnt/vol2'), isTaken);
  }
});

/** Two addresses that are served here, and each has the file system of the other by now: all of it, or its device alone. */
const swaps: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  'file systems': [
    ['vol2"', 'vol3"'],
    ['fsid = 1235', 'fsid = 1236'],
  ],
  devices: [['/dev/vol2"', '/dev/vol3"']],
};

function swapped(text: string, [one, two]: readonly [string, string]): string {
  return text.replaceAll(one, '\0').replaceAll(two, one).replaceAll('\0', two);
}

for (const [what, pairs] of Object.entries(swaps))
  test(`two addresses that were given each other's ${what} while they were served: each gives up its own, and waits for the other`, async (t) => {
    const { a, b, before, etab, mounted } = await served(t, { more: true });
    t.is((await a.here(['takeover', other, '--no-wait'])).exitCode, 0);
    const after = `${pairs.reduce(swapped, before)}\n[timeouts]\nbusy = 1\n`;
    a.write(file, after);
    b.write(file, after.replace('node = "A"', 'node = "B"'));
    const release = await a.here(['release', address]);
    t.is(release.exitCode, 1, release.stdout);
    t.regex(
      release.stderr,
      /\/dev\/vol3, which the configuration has for 127\.77\.31\.1 by now, is mounted on \/mnt\/vol3: the next owner .* must not/,
    );
    t.regex(release.stdout, /A-3 .*\/mnt\/vol2/);
    t.notRegex(release.stdout, /A-[23] .*\/mnt\/vol3/, 'the locks of whoever is served still');
    t.regex(etab(), /^\/mnt\/vol3\t.*\n$/);
    t.regex(mounted(), /\/mnt\/vol3/);
    t.notRegex(mounted(), /\/mnt\/vol[12]/);
    t.is((await b.here(['takeover', address])).exitCode, 4, 'it is not handed over');
    for (const one of [other, address]) {
      const again = await a.here(['release', one]);
      t.is(again.exitCode, 0, again.stderr);
    }
    t.is(mounted() + etab(), '');
    for (const one of [address, other]) {
      const takeover = await b.here(['takeover', one, '--no-wait']);
      t.is(takeover.exitCode, 0, takeover.stderr);
    }
  });

test('a file system that is mounted for another address keeps no address here that was released, and is owned elsewhere', async (t) => {
  const { a, b, before, etab, mounted } = await served(t, { more: true });
  t.is((await a.here(['release', address])).exitCode, 0);
  t.is((await b.here(['takeover', address, '--no-wait'])).exitCode, 0);
  t.is((await a.here(['takeover', other, '--no-wait'])).exitCode, 0);
  a.write(file, (swaps['file systems'] ?? []).reduce(swapped, before));
  const there = mounted() + etab();
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 0, release.stderr);
  t.is(mounted() + etab(), there);
});

test('something else that is mounted in the place of a volume keeps nobody where nothing of the address is, whoever owns it', async (t) => {
  const strange = (place: string) => `1 0 7:9 / ${place} rw - ext4 /dev/strange rw\n`;
  for (const place of ['/mnt/state1', '/mnt/vol2']) {
    for (const isReleased of [true, false]) {
      const { a, b } = await served(t);
      if (isReleased) t.is((await a.here(['release', address])).exitCode, 0);
      b.write('/proc/self/mountinfo', strange(place));
      // As Pacemaker does: the start fails, and a stop that failed too would fence the node.
      t.not((await b.here(['takeover', address, '--no-wait'])).exitCode, 0);
      const release = await b.here(['release', address]);
      t.is(release.exitCode, 0, release.stderr);
      t.regex(
        release.stdout,
        new RegExp(`NOTE: what is mounted on ${place} is not of 127\\.77\\.31\\.1: left there`),
      );
      t.is(b.read('/proc/self/mountinfo'), strange(place));
      // Anything of the address there, and it is refused as ever.
      const ours = place.replace('/mnt', '/dev');
      for (const table of [
        `${strange(place)}1 0 7:1 / /elsewhere rw - ext4 /dev/vol1 rw\n`,
        `1 0 7:2 / ${place} rw - ext4 ${ours} rw\n${strange(place)}`,
      ]) {
        b.write('/proc/self/mountinfo', table);
        t.not((await b.here(['release', address])).exitCode, 0, table);
      }
    }
  }
});

test('a volume that something else was mounted over is here', async (t) => {
  const { a, b } = await served(t);
  t.is((await a.here(['release', address])).exitCode, 0);
  for (const name of ['state1', 'vol2']) {
    const over = `1 0 7:9 / /mnt/${name} rw - ext4 /dev/strange rw\n`;
    b.write('/proc/self/mountinfo', `1 0 7:2 / /mnt/${name} rw - ext4 /dev/${name} rw\n${over}`);
    const { exitCode, stdout } = await b.here(['status', '--is-served', address]);
    t.is(exitCode, 1, 'a probe that says no lets another node mount it too');
    t.regex(
      stdout,
      new RegExp(`/dev/${name} is mounted below /dev/strange in that place, and not on /mnt/${name}`),
    );
    b.write('/proc/self/mountinfo', over);
    t.is((await b.here(['status', '--is-served', address])).exitCode, 7);
  }
});

test('something else in the place of a volume is refused on the owner: what is below it would stay', async (t) => {
  const { a, mounted } = await served(t);
  const both = `${mounted()}1 0 7:9 / /mnt/vol2 rw - ext4 /dev/strange rw\n`;
  a.write('/proc/self/mountinfo', both);
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 1);
  t.regex(release.stderr, /\/mnt\/vol2 has \/dev\/strange mounted, .*: not touched/);
  t.is(mounted(), both);
});

test('nor is an owner without anything of it here taken for somebody who has it not: it is not handed over yet', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/srv/shared' });
  t.teardown(() => site.remove());
  const { a, b } = site;
  const shared = path.join(site.directory, 'shared');
  mkdirSync(shared);
  for (const node of [a, b]) {
    mkdirSync(path.join(node.root, 'srv'), { recursive: true });
    node.link('/srv/shared', shared);
  }
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  // A crash, and somebody who mounts something since.
  rmSync(path.join(a.root, 'run/nlm-failover'), { recursive: true });
  a.write('/addresses.json', '[]');
  a.write('/var/lib/nfs/etab', '');
  a.write('/proc/self/mountinfo', '1 0 7:9 / /mnt/vol1 rw - ext4 /dev/strange rw\n');
  t.is((await a.here(['release', address])).exitCode, 1);
  a.write('/proc/self/mountinfo', '');
  t.is((await a.here(['release', address])).exitCode, 0);
  t.is((await b.here(['takeover', address, '--no-wait'])).exitCode, 0);
});

/** Edits in which each sign of a volume (fsid, device, place) leads to another one. */
const tangles: Readonly<Record<string, (text: string) => string>> = {
  'the device of one is that of another, which has a new one': (text) =>
    text
      .replace('/dev/vol2"', '/dev/state2"')
      .replace('/dev/vol1"', '/dev/vol2"')
      .replace('fsid = 1234', 'fsid = 1299'),
  'a new one is where another one was, which is elsewhere': (text) =>
    text.replace(
      second(text),
      second(text).replaceAll('/mnt/vol2', '/srv/vol2') +
        second(text).replace('/dev/vol2', '/dev/state2').replace('1235', '1299'),
    ),
  'each is where the other one was': (text) => swapped(text, ['/mnt/vol1"', '/mnt/vol2"']),
};

for (const [what, edit] of Object.entries(tangles))
  test(`all that was mounted is given up once: ${what}`, async (t) => {
    const { a, before, etab, mounted } = await served(t);
    const after = edit(before);
    t.not(after, before);
    a.write(file, after);
    const release = await a.here(['release', address]);
    t.is(release.exitCode, 0, release.stderr);
    t.is(mounted() + etab(), '');
    t.false(existsSync(note(a)));
  });

test('what is mounted for another address in a place that the configuration gives to this one stays', async (t) => {
  const { a, before, etab, mounted } = await served(t, { more: true });
  t.is((await a.here(['takeover', other, '--no-wait'])).exitCode, 0);
  // The third is the first one's now, in the place of the other's, and the other has the second.
  const pairs = [
    ['/dev/vol1"', '/dev/vol3"'],
    ['/dev/vol1"', '/dev/vol2"'],
    ['/mnt/vol2"', '/mnt/vol3"'],
    ['fsid = 1235', 'fsid = 1236'],
  ] as const;
  a.write(file, `${pairs.reduce(swapped, before)}\n[timeouts]\nbusy = 1\n`);
  const release = await a.here(['release', address]);
  t.is(release.exitCode, 1);
  t.regex(
    release.stderr,
    /\/dev\/vol3, which the configuration has for 127\.77\.31\.1 by now, is mounted on \/mnt\/vol3/,
  );
  t.regex(etab(), /^\/mnt\/vol3\t.*\n$/);
  t.notRegex(mounted(), /\/mnt\/vol[12]/);
  for (const one of [other, address]) t.is((await a.here(['release', one])).exitCode, 0);
  t.is(mounted() + etab(), '');
});
