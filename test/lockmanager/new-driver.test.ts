// What a driver needs to be one: a module, and its place in the list. This one is in test alone, and src knows nothing of it.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startLoopbackClient } from '../demo/loopback-client.js';
import { addClient, jsonLines } from '../helpers/rehearsal-steps.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { keysOf } from '../../src/config/driver-settings.js';
import { drivers } from '../../src/lockmanager/drivers.js';
import { paperModule, parchmentModule } from './helpers/paper.js';

const address = '127.77.11.1';
/** nlm-failover with two drivers more than it has. */
const more = async () => [paperModule, ...drivers, parchmentModule];

async function run(node: RehearsalNode, ...args: string[]) {
  const result = await node.here(args, more);
  return { ...result, lines: args.includes('--json') ? jsonLines(result.stdout) : [] };
}

function configure(node: RehearsalNode, from: string, to: string): void {
  node.write('/etc/nlm-failover.toml', node.read('/etc/nlm-failover.toml').replace(from, to));
}

async function fixture(t: ExecutionContext) {
  const client = await startLoopbackClient('127.77.11.21', 0, () => undefined);
  const site = makeRehearsal({ address, rpcbindPort: client.port, fsids: [1234, 5678] });
  t.teardown(() => {
    client.close();
    site.remove();
  });
  for (const node of [site.a, site.b]) {
    node.write('/paper-up', '');
    configure(node, '[lock_manager]', '[lock_manager]\nledger = "/ledger"\nhourglass = 20');
  }
  return { ...site, client };
}

test('it takes an address over, releases it, and is asked all that only it can know', async (t) => {
  const { a, b, client } = await fixture(t);
  const first = await run(a, 'takeover', address, '--no-wait', '--json');
  t.is(first.exitCode, 0, first.stderr);
  addClient(a, client.address);
  const exports =
    '/mnt/vol1\t*(rw,no_subtree_check,fsid=1234)\n/mnt/vol2\t*(rw,no_subtree_check,fsid=5678)\n';
  t.is(a.read('/ledger'), exports);
  t.is(a.read('/paper-log'), 'grace\ngrace\naddress\n', 'B-2 once for each fsid');

  const released = await run(a, 'release', address, '--json');
  t.is(released.exitCode, 0, released.stderr);
  t.regex(released.stdout, /paper cannot say which locks are held/);
  t.is(a.read('/ledger'), '');
  t.is(a.read('/paper-log'), 'grace\ngrace\naddress\ndrop 1234\ndrop 5678\n');
  t.is(a.read('/proc/self/mountinfo'), '');

  const taken = await run(b, 'takeover', address, '--no-wait', '--json');
  t.is(taken.exitCode, 0, taken.stderr + taken.stdout);
  t.deepEqual(taken.lines.at(-1)?.clients, { notified: 1, notNotified: 0 });
  // Nothing of the kernel's lock manager was touched or asked to export.
  t.is(b.read('/proc/fs/nfsd/threads'), '0\n');
  t.is(b.read('/proc/fs/nfsd/unlock_filesystem'), '');
  t.is(b.read('/var/lib/nfs/etab'), '');
  t.is(b.read('/ledger'), exports);

  // Done once: its grace still runs, as it says itself.
  const again = await run(b, 'takeover', address, '--no-wait', '--json');
  t.true(again.lines.slice(0, -1).every((line) => line.state === 'skipped'));
  t.is(b.read('/paper-log'), 'grace\ngrace\naddress\n');

  // Not where it has died since, and whatever grace there was with it: its locks are gone.
  b.remove('/paper-up');
  const anew = await run(b, 'takeover', address, '--no-wait', '--json');
  t.is(anew.exitCode, 0, anew.stderr);
  t.is(b.read('/paper-log'), 'grace\ngrace\naddress\ngrace\ngrace\n');

  // What was held nobody knows, so the audit goes by the clients, as after a crash.
  const inGrace = await run(b, 'audit', address, '--json');
  t.like(inGrace.lines[0]?.audit, { state: 'in-grace', locks: null });
  b.remove('/paper-grace');
  const over = await run(b, 'audit', address, '--json');
  t.like(over.lines[0]?.audit, { state: 'compared', locks: null });
  t.regex(over.stdout, /"verdict":"idle"/, 'the client answers, and has asked for no lock');
});

test('what the other node noted is not laid to anybody where this one’s lock manager cannot say what it holds', async (t) => {
  const { a, b, client } = await fixture(t);
  configure(a, '[lock_manager]', '[lock_manager]\ndriver = "lockd"');
  await run(a, 'takeover', address, '--no-wait');
  addClient(a, client.address);
  a.write('/proc/locks', '1: POSIX  ADVISORY  WRITE 4194305 07:01:12 0 EOF\n');
  t.regex((await run(a, 'release', address)).stdout, /1 lock held/);
  t.is((await run(b, 'takeover', address, '--no-wait')).exitCode, 0);
  t.like((await run(b, 'audit', address, '--json')).lines[0]?.audit, { state: 'in-grace', locks: null });
  b.remove('/paper-grace');
  const over = await run(b, 'audit', address, '--json');
  t.is(over.exitCode, 0);
  t.like(over.lines[0]?.audit, { state: 'compared', locks: null });
  t.deepEqual(over.stdout.match(/"verdict":"[^"]*"/g), ['"verdict":"idle"']);
});

test('who was notified counts as back where known clients are not announced again', async (t) => {
  const { a, b, client } = await fixture(t);
  for (const node of [a, b]) configure(node, '[lock_manager]', '[lock_manager]\ndriver = "parchment"');
  await run(a, 'takeover', address, '--no-wait');
  addClient(a, client.address);
  await run(a, 'release', address);
  t.is((await run(b, 'takeover', address, '--no-wait')).exitCode, 0);
  b.remove('/paper-grace');
  const over = await run(b, 'audit', address, '--json');
  t.like(over.lines[0]?.audit, { state: 'compared', findings: [] });
});

test('B-3 that comes after its grace has ended says so, by what it answers meanwhile', async (t) => {
  const { a, b, client } = await fixture(t);
  await run(a, 'takeover', address, '--no-wait');
  addClient(a, client.address);
  // Some are notified while it thinks about others.
  for (const host of ['127.77.11.22', '127.77.11.23', '127.77.11.24']) {
    const other = await startLoopbackClient(host, client.port, () => undefined);
    t.teardown(() => other.close());
    addClient(a, host);
  }
  await run(a, 'release', address);
  await run(b, 'takeover', address, '--steps', 'B-1,B-2,B-5,B-4');
  b.remove('/paper-grace');
  const late = await run(b, 'notify', address, '--json');
  t.regex(late.stdout, /4 were notified after the end of the grace period/);
});

test('status shows how its daemons are, and ends with 1 when one is dead', async (t) => {
  const { a, b } = await fixture(t);
  await run(a, 'takeover', address, '--no-wait');
  const well = await run(a, 'status', address);
  t.is(well.exitCode, 0, well.stderr);
  t.regex(well.stdout, /^ {2}paper {7}all daemons run; 2 sheets; 0 clients monitored; 7 s of grace left$/m);
  a.remove('/paper-up');
  const ill = await run(a, 'status', address, '--json');
  t.is(ill.exitCode, 1);
  t.regex(ill.stdout, /"lockManager":\{"driver":"paper","daemons":\{"paperd":"dead"\}/);
  // Where the address is not, that is nobody's trouble.
  configure(b, 'ledger =', 'driver = "paper"\nledger =');
  b.remove('/paper-up');
  const elsewhere = await run(b, 'status', address);
  t.is(elsewhere.exitCode, 0, elsewhere.stdout);
  t.notRegex(elsewhere.stdout, /paper/);
});

test('--dry-run prints its commands, in the order of the plan', async (t) => {
  const { a } = await fixture(t);
  const { stdout } = await run(a, 'takeover', address, '--dry-run');
  t.deepEqual(
    stdout.split('\n').filter((line) => /^B-|paper/.test(line)),
    [
      `takeover ${address} on A, lock manager paper (auto: desks)`,
      'B-1  mount: /dev/state1 on /mnt/state1, /dev/vol1 on /mnt/vol1, /dev/vol2 on /mnt/vol2',
      'B-2  grace: fsid 1234 (/mnt/vol1)',
      '     paper grace',
      'B-2  grace: fsid 5678 (/mnt/vol2)',
      '     paper grace',
      'B-5  export: /mnt/vol1, /mnt/vol2',
      '     paper enter *:/mnt/vol1',
      '     paper enter *:/mnt/vol2',
      `B-4  floating IP up: ${address} on eth0`,
      '     paper address',
      `B-3  notify the clients: SM_NOTIFY from ${address}`,
    ],
  );
});

test('its keys are part of the language, and so are its refusals', async (t) => {
  const { a } = await fixture(t);
  configure(a, 'hourglass = 20', 'hourglas = 20');
  t.regex((await run(a, 'status')).stderr, /lock_manager\.hourglas = 20: .*did you mean "hourglass"\?/);
  configure(a, 'hourglas = 20', 'hourglass = 90');
  t.regex((await run(a, 'status')).stderr, /hourglass = 90: write whole seconds from 1 to 60/);
  configure(a, 'hourglass = 90', 'driver = "quill"');
  t.regex((await run(a, 'status')).stderr, /"quill": write one of "auto", "paper", "ganesha", "nlm-fsid"/);
  configure(a, 'driver = "quill"', '');
  a.remove('/paper-up');
  const { stdout } = await run(a, 'takeover', address, '--no-wait');
  t.regex(stdout, /lock manager lockd \(auto: not paper: no paper; not nlm-fsid: /);
});

test('an address that it serves is not taken for another driver’s', async (t) => {
  const { a } = await fixture(t);
  await run(a, 'takeover', address, '--no-wait');
  // Also where it could not be had any more.
  a.remove('/paper-up');
  const again = await run(a, 'takeover', address, '--dry-run');
  t.is(again.exitCode, 0, again.stderr);
  t.regex(again.stdout, /paper grace/);
  configure(a, '[lock_manager]', '[lock_manager]\ndriver = "lockd"');
  const other = await run(a, 'takeover', address, '--no-wait');
  t.is(other.exitCode, 3);
  t.regex(
    other.stderr,
    /\/mnt\/vol1 is exported by the driver "paper", while the configuration says "lockd"/,
  );
});

test('no two drivers have a name or a key in common, but for keys that they share', (t) => {
  const all = [paperModule, ...drivers, parchmentModule];
  for (const names of [all.map(({ name }) => name), keysOf(all).map(({ key }) => key.name)])
    t.deepEqual(names, [...new Set(names)]);
});

/**
 * Where a driver is named outside lockmanager/, as a word of a string: prose for people who choose one, and what the kernel itself
 * calls so. As a condition nowhere.
 */
const prose: Readonly<Record<string, readonly string[]>> = {
  'config/schema.ts': ['ganesha'],
  'man/sections/command.ts': ['ganesha', 'lockd', 'lockd-netns', 'nlm-fsid'],
  'man/sections/adopt.ts': ['lockd-netns', 'nlm-fsid'],
  'man/sections/check.ts': ['lockd-netns'],
  'man/sections/ganesha.ts': ['ganesha'],
  // CTDB restarts it on all nodes together.
  'man/sections/shared/ctdb.ts': ['lockd'],
  'man/sections/shared/shared.ts': ['ganesha'],
  'man/sections/shared/ganesha-ha.ts': ['ganesha'],
  'man/sections/pacemaker.ts': ['ganesha', 'lockd', 'lockd-netns', 'nlm-fsid'],
  'man/sections/hooks.ts': ['lockd'],
  'man/sections/systemd.ts': ['lockd-netns', 'nlm-fsid'],
  'man/sections/pacemaker-command.ts': ['lockd-netns', 'nlm-fsid'],
  'man/sections/recovery-by-hand.ts': ['ganesha', 'lockd', 'lockd-netns', 'nlm-fsid'],
  'man/sections/recovery-trees.ts': ['ganesha', 'lockd-netns'],
  'site/check/address/ports.ts': ['lockd'],
  // The kernel's thread.
  'host/reading/locks.ts': ['lockd'],
};
/** In sentences this one is the kernel's lock manager itself. */
const kernelsOwn = ['lockd'];

test('nothing outside lockmanager names a driver', (t) => {
  const source = path.resolve('src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.startsWith('lockmanager/'),
  );
  t.true(files.length > 80);
  const named: string[] = [];
  const imported: string[] = [];
  for (const file of files) {
    const text = readFileSync(path.join(source, file), 'utf8');
    const code = text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '');
    for (const [, to = ''] of code.matchAll(/lockmanager\/([\w/.-]+)\.js'/g)) {
      if (
        ![
          'callout-proof',
          'choose',
          'drivers',
          'in-place',
          'module',
          'port',
          'served-here',
          'unfit',
        ].includes(to)
      )
        imported.push(`${file} -> ${to}`);
    }
    for (const { name } of drivers) {
      const whole = new RegExp(`(['"\`])${name}\\1`);
      const word = new RegExp(`['"\`][^\\n]*(?<![\\w-])${name}(?![\\w-])`);
      const isNamed = whole.test(code) || (!kernelsOwn.includes(name) && word.test(code));
      if (isNamed && prose[file]?.includes(name) !== true) named.push(`${file}: ${name}`);
    }
  }
  t.deepEqual(named, []);
  t.deepEqual(imported, []);
});
