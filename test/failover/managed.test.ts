// managed_by_others: what somebody else does of an address is looked at, and never done. On a rehearsal host, where that somebody is the test.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { rehearsalHost } from '../../src/host/rehearsal/rehearsal.js';
import type { Argv } from '../../src/host/host.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { jsonLines } from '../helpers/rehearsal-steps.js';

const address = '127.77.12.1';

interface Managed {
  readonly a: RehearsalNode;
  /** Does something on the node, as a cluster manager would. */
  readonly run: (...argv: Argv) => Promise<void>;
  /** A command of ours; its steps in JSON. */
  readonly tool: (
    ...args: readonly string[]
  ) => Promise<{ exitCode: number; lines: ReturnType<typeof jsonLines>; stdout: string }>;
  /** All that others manage, as it is now. */
  readonly seen: () => string[];
}

/** A node whose configuration says that others do these parts, and that has another `device`, or none. */
function managed(t: ExecutionContext, parts: readonly string[], device?: string): Managed {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/shared_storage' });
  t.teardown(() => site.remove());
  const { a } = site;
  mkdirSync(path.join(a.root, 'shared_storage'));
  const file = '/etc/nlm-failover.toml';
  const text = a
    .read(file)
    .replace('interface = "eth0"', `interface = "eth0"\nmanaged_by_others = ${JSON.stringify(parts)}`)
    .replace('device = "/dev/vol1"\n', device === undefined ? '' : `device = "${device}"\n`)
    .replace('type = "ext4"\n', '');
  a.write(file, text);
  const host = rehearsalHost(a.root);
  return {
    a,
    run: async (...argv) => {
      const { exitCode, stderr } = await host.run(argv);
      t.is(exitCode, 0, stderr);
    },
    tool: async (...args) => {
      const { exitCode, stdout } = await a.here([...args, '--json']);
      return { exitCode, lines: jsonLines(stdout), stdout };
    },
    seen: () => ['/proc/self/mountinfo', '/var/lib/nfs/etab', '/addresses.json'].map((one) => a.read(one)),
  };
}

const messageOf = ({ lines }: { lines: ReturnType<typeof jsonLines> }) => JSON.stringify(lines.at(-1));

for (const device of ['/dev/vol1', undefined]) {
  test(`mount, export and address are others': each is missed, none is done (device ${device ?? 'not said'})`, async (t) => {
    t.timeout(120_000);
    const { a, run, tool, seen } = managed(t, ['mount', 'export', 'address'], device);
    const takeover = () => tool('takeover', address, '--no-wait');
    /** Fails with this sentence, and leaves what others do as it was. */
    const misses = async (command: () => ReturnType<typeof tool>, sentence: RegExp) => {
      const before = seen();
      const result = await command();
      t.is(result.exitCode, 1);
      t.regex(messageOf(result), sentence);
      t.deepEqual(seen(), before);
    };
    await misses(takeover, /Nothing is mounted on \/mnt\/vol1, and nlm-failover does not mount it/);
    await run('mount', '-t', 'ext4', '/dev/vol1', '/mnt/vol1');
    await misses(takeover, /\/mnt\/vol1 is not exported, and nlm-failover does not export it/);
    await run('exportfs', '-i', '-o', 'rw', '10.0.0.0/8:/mnt/vol1');
    await misses(takeover, /\/mnt\/vol1 is exported to 10\.0\.0\.0\/8 without fsid=1234/);
    await run('exportfs', '-i', '-o', 'rw,fsid=1234', '10.0.0.0/8:/mnt/vol1');
    await misses(takeover, /127\.77\.12\.1 is not up, and nlm-failover does not move it/);
    await run('ip', 'address', 'add', `${address}/24`, 'dev', 'eth1');
    await misses(takeover, /is up on eth1, and not on eth0/);
    await run('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
    const up = seen();
    t.is((await takeover()).exitCode, 0);
    t.deepEqual(seen(), up);
    t.is((await a.here(['status', address])).exitCode, 0);
    a.write('/proc/locks', '1: POSIX  ADVISORY  WRITE 7 07:01:11 0 EOF\n');
    await misses(() => tool('release', address), /still up on eth0, .*: no lock was touched/);
    t.regex(a.read('/proc/locks'), /POSIX/);
    await run('ip', 'address', 'del', `${address}/24`, 'dev', 'eth0');
    const down = seen();
    const released = await tool('release', address);
    t.is(released.exitCode, 0);
    t.deepEqual(seen(), down);
    t.is(a.read('/proc/locks'), '');
    t.like(
      released.lines.find(({ step }) => step === 'A-2'),
      { state: 'skipped' },
    );
  });
}

test('a file system that is no device is known by its own name', async (t) => {
  t.timeout(60_000);
  const { a, run, tool } = managed(t, ['mount'], 'tank/vol1');
  mkdirSync(path.join(a.root, 'tank/vol1'), { recursive: true });
  await run('mount', '-t', 'ext4', '/dev/vol1', '/mnt/vol1');
  const other = await tool('takeover', address, '--no-wait');
  t.is(other.exitCode, 1);
  t.regex(messageOf(other), /\/mnt\/vol1 has \/dev\/vol1 mounted, and the configuration says tank\/vol1/);
  await run('umount', '/mnt/vol1');
  a.write('/proc/self/mountinfo', '1 0 0:77 / /mnt/vol1 rw - zfs tank/vol1 rw\n');
  t.is((await tool('takeover', address, '--no-wait')).exitCode, 0);
  t.regex(a.read('/var/lib/nfs/etab'), /fsid=1234/);
  t.is((await tool('release', address)).exitCode, 0);
  t.is(a.read('/var/lib/nfs/etab'), '');
  t.regex(a.read('/proc/self/mountinfo'), /tank\/vol1/);
});

test('--dry-run has no command for what others do', async (t) => {
  const { a } = managed(t, ['mount', 'export', 'address']);
  for (const kind of ['takeover', 'release']) {
    const { exitCode, stdout } = await a.here([kind, address, '--dry-run']);
    t.is(exitCode, 0);
    t.notRegex(stdout, /^ +(?:mount|umount|exportfs -[vu]|ip|arping|dumpe2fs) .*(?:vol1|127)/m);
    t.regex(stdout, /managed_by_others/);
  }
});
