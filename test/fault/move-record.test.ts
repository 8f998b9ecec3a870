// nlm-failover move-record, from the exported volume to a state volume: what is kept, who is refused, and the real command killed or
// failing at its effects, as test/fault/preload sees them happen. At every moment there is one whole record that counts.
// Here a sample; every point: NLM_FULL=1 npx ava --timeout=1h build/test/fault/move-record.test.js
import {
  appendFileSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { makeRehearsal, type RehearsalSite } from '../helpers/rehearsal-site.js';
import { addClient } from '../helpers/rehearsal-steps.js';
import { strikes } from './fault.js';
import { copySite, removeSite, runHere } from './site.js';
import { runStruck } from './strike.js';
import { waitFor } from '../wire/wait-for.js';

const full = process.env['NLM_FULL'] === '1';
const address = '127.77.43.1';
const clients = ['127.77.43.21', '127.77.43.22'];
const former = '/mnt/vol1/.nlm';
const move = ['move-record', address, '--from', former];
const isRoot = process.getuid?.() === 0;

/** Turns a node's configuration from the exported volume to the state volume, or back. */
function configure(root: string, node: 'A' | 'B', to: 'state' | 'volume'): void {
  const file = path.join(root, node, 'etc/nlm-failover.toml');
  const text = readFileSync(file, 'utf8');
  const old = `state_directory = "${former}"\ntrust_clients = true\n`;
  const now =
    'state_directory = "/mnt/state1"\n\n  [[floating_ip.filesystem]]\n  device = "/dev/state1"\n  mountpoint = "/mnt/state1"\n  type = "ext4"\n';
  const [from, wanted] = to === 'state' ? [old, now] : [now, old];
  writeFileSync(file, text.replace(from, wanted));
}

/** Served by A, with two clients, released; both file systems are mounted on A, and both nodes have the new configuration. */
async function released(t: ExecutionContext): Promise<RehearsalSite> {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: former });
  t.teardown(() => site.remove());
  await succeed(t, site.directory, 'A', ['takeover', address, '--no-wait']);
  for (const client of clients) addClient(site.a, client);
  if (isRoot) chownSync(recordFile(site.directory, 'vol1/.nlm', 'journal.A'), 103, 65_534);
  await succeed(t, site.directory, 'A', ['release', address]);
  for (const node of ['A', 'B'] as const) configure(site.directory, node, 'state');
  mountBoth(site.directory, 'A');
  return site;
}

function mountBoth(directory: string, node: 'A' | 'B'): void {
  const lines = [
    '1 0 7:1 / /mnt/vol1 rw - ext4 /dev/vol1 rw',
    '1 0 9:1 / /mnt/state1 rw - ext4 /dev/state1 rw',
    '',
  ];
  writeFileSync(path.join(directory, node, 'proc/self/mountinfo'), lines.join('\n'));
}

function isMarked(directory: string): boolean {
  const mark = recordFile(directory, 'vol1/.nlm', 'moved');
  return existsSync(mark) && readFileSync(mark, 'utf8').endsWith('\n');
}

function recordFile(directory: string, place: string, name: string): string {
  return path.join(directory, 'disks', place, `sm_${address}`, name);
}

async function succeed(t: ExecutionContext, directory: string, node: 'A' | 'B', args: readonly string[]) {
  const ended = await runHere(directory, node, args);
  t.is(ended.exitCode, 0, `${args.join(' ')}: ${ended.output}`);
  return ended.output;
}

async function recorded(directory: string): Promise<string[]> {
  const { output } = await runHere(directory, 'A', ['clients', address]);
  return clients.filter((client) => output.includes(`"${client}"`));
}

test('owner, epoch, clients and journals are there, with their owners, and the next takeover is the second', async (t) => {
  const { directory } = await released(t);
  const output = await succeed(t, directory, 'A', move);
  t.like(JSON.parse(output) as object, { result: 'done', clients: 2, late: [] });
  t.deepEqual(await recorded(directory), clients);
  const journal = lstatSync(recordFile(directory, 'state1', 'journal.A'));
  t.is(journal.mode & 0o777, 0o600);
  if (isRoot) t.deepEqual([journal.uid, journal.gid], [103, 65_534]);
  t.is(lstatSync(recordFile(directory, 'state1', '.')).mode & 0o777, 0o711);
  t.is(
    readFileSync(recordFile(directory, 'state1', 'journal.A'), 'utf8'),
    readFileSync(recordFile(directory, 'vol1/.nlm', 'journal.A'), 'utf8'),
  );
  const states = (place: string) => readFileSync(recordFile(directory, place, 'nsm-states'), 'utf8');
  t.is(states('state1'), states('vol1/.nlm'));
  const taken = await runHere(directory, 'A', ['takeover', address, '--no-wait', '--notify-deadline', '1']);
  t.is(taken.exitCode, 5, taken.output);
  t.regex(taken.output, /epoch 2, after A;|epoch 2, after A"/);
});

test('the former place is used no more: neither by a node with the old configuration, nor by rebuild', async (t) => {
  const { directory } = await released(t);
  await succeed(t, directory, 'A', move);
  configure(directory, 'B', 'volume');
  mountBoth(directory, 'B');
  for (const args of [
    ['takeover', address, '--no-wait', '--fenced'],
    ['rebuild', address, '--force'],
  ]) {
    const refused = await runHere(directory, 'B', args);
    t.is(refused.exitCode, 3, refused.output);
    t.regex(refused.output, /"RECORD_MOVED".*was moved to .*state1/);
    t.false(existsSync(recordFile(directory, 'vol1/.nlm', 'journal.B')));
  }
});

test('a callout that still wrote to the former journal is not lost, also not one that came later', async (t) => {
  const { directory } = await released(t);
  const late = (client: string) =>
    appendFileSync(
      recordFile(directory, 'vol1/.nlm', 'journal.A'),
      `@1 99999999.00 add-client ${client} A - .\n`,
    );
  late('127.77.43.31');
  await succeed(t, directory, 'A', move);
  late('127.77.43.32');
  const again = JSON.parse(await succeed(t, directory, 'A', move)) as object;
  t.like(again, { result: 'unchanged', clients: 4, late: ['127.77.43.32'] });
  t.deepEqual(await recorded(directory), clients);
  const third = JSON.parse(await succeed(t, directory, 'A', move)) as object;
  t.like(third, { result: 'unchanged', clients: 4, late: [] });
});

test('a callout that has the former journal open is waited for', async (t) => {
  const { directory, a } = await released(t);
  const journal = recordFile(directory, 'vol1/.nlm', 'journal.A');
  // As /proc shows a process that was started before the release.
  const open = path.join(a.root, 'proc/4194305');
  mkdirSync(path.join(open, 'fd'), { recursive: true });
  symlinkSync(journal, path.join(open, 'fd/3'));
  const moving = runHere(directory, 'A', move);
  await waitFor('the former record to be marked', async () =>
    existsSync(recordFile(directory, 'vol1/.nlm', 'moved')),
  );
  appendFileSync(journal, '@1 99999999.00 add-client 127.77.43.33 A - .\n');
  rmSync(open, { recursive: true });
  const { exitCode, output } = await moving;
  t.is(exitCode, 0, output);
  t.like(JSON.parse(output) as object, { result: 'done', clients: 3, late: ['127.77.43.33'] });
});

test('one that keeps it open is named', async (t) => {
  const { directory, a } = await released(t);
  mkdirSync(path.join(a.root, 'proc/4194305/fd'), { recursive: true });
  symlinkSync(recordFile(directory, 'vol1/.nlm', 'journal.A'), path.join(a.root, 'proc/4194305/fd/3'));
  const text = a.read('/etc/nlm-failover.toml');
  a.write(
    '/etc/nlm-failover.toml',
    text.replace('[lock_manager]', '[timeouts]\nsettle = 1\n\n[lock_manager]'),
  );
  const output = await succeed(t, directory, 'A', move);
  t.like(JSON.parse(output) as object, { result: 'done', open: ['? (pid 4194305)'] });
});

test('refused: an address that is served, or another node’s, a record that is there already, or none', async (t) => {
  const site = await released(t);
  const { directory } = site;
  const nothing = await runHere(directory, 'A', ['move-record', address, '--from', '/mnt/vol1']);
  t.regex(nothing.output, /"RECORD_UNREACHABLE".*nothing was moved/);

  for (const node of ['A', 'B'] as const) configure(directory, node, 'volume');
  site.a.write('/proc/self/mountinfo', '');
  await succeed(t, directory, 'B', ['takeover', address, '--no-wait', '--steps', 'B-1']);
  for (const node of ['A', 'B'] as const) configure(directory, node, 'state');
  mountBoth(site.directory, 'A');
  const others = await runHere(directory, 'A', move);
  t.is(others.exitCode, 4, others.output);
  t.regex(others.output, /"NOT_RELEASED".*B owns/);

  mkdirSync(path.dirname(recordFile(directory, 'state1', 'x')), { mode: 0o711 });
  mountBoth(site.directory, 'B');
  const twice = await runHere(directory, 'B', move);
  t.regex(twice.output, /"RECORD_EXISTS"/);
  t.false(existsSync(recordFile(directory, 'vol1/.nlm', 'moved')));
});

test('run again while the address is served from the new place', async (t) => {
  const { directory } = await released(t);
  await succeed(t, directory, 'A', move);
  await runHere(directory, 'A', ['takeover', address, '--no-wait', '--notify-deadline', '1']);
  appendFileSync(
    recordFile(directory, 'vol1/.nlm', 'journal.A'),
    '@1 99999999.00 add-client 127.77.43.34 A - .\n',
  );
  const again = JSON.parse(await succeed(t, directory, 'A', move)) as object;
  t.like(again, { result: 'unchanged', clients: 3, late: ['127.77.43.34'] });
});

test('refused: while its callouts write', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: former });
  t.teardown(() => site.remove());
  await succeed(t, site.directory, 'A', ['takeover', address, '--no-wait']);
  configure(site.directory, 'A', 'state');
  mountBoth(site.directory, 'A');
  const refused = await runHere(site.directory, 'A', move);
  t.regex(refused.output, /"RECORD_IN_USE".*release/);
});

test('struck at its effects: one whole record counts, and the same command ends it', async (t) => {
  t.timeout(3_600_000);
  const site = await released(t);
  const whole = copySite(site.directory);
  const { exitCode, effects, stderr } = await runStruck(whole, 'A', move, {});
  removeSite(whole);
  t.is(exitCode, 0, stderr);
  const rename = effects.find(({ kind }) => kind === 'renameSync');
  t.true(rename !== undefined);
  // After a power cut too: else the new record would be an unfinished one again.
  const finished = effects.findIndex(({ kind, what }) => kind === 'rmSync' && what.endsWith('/.moving'));
  t.is(effects[finished + 1]?.kind, 'fsyncSync');
  let struck = 0;
  for (const { number, kind, what } of effects) {
    for (const [index, fault] of strikes.entries()) {
      const isNear = kind === 'renameSync' && fault.how === 'kill';
      if (!full && !isNear && (number + index * 5) % 17 !== 0) continue;
      const where = `${fault.how} ${fault.side} ${number} (${kind} ${what})`;
      const copy = copySite(site.directory);
      try {
        const ended = await runStruck(copy, 'A', move, { ...fault, strike: number });
        if (fault.how === 'kill') t.is(ended.signal, 'SIGKILL', where);
        else t.notRegex(ended.stderr, /unexpected error/, where);
        // One counts, and is whole: the former one until it is marked, and no new one is taken for it before.
        const now = await runHere(copy, 'A', ['clients', address]);
        const isNew = clients.every((client) => now.output.includes(`"${client}"`));
        const isRefused = now.output.includes('RECORD_MOVED');
        if (isMarked(copy)) {
          t.true(isNew || isRefused, `${where}: ${now.output}`);
        } else {
          t.true(isRefused || !existsSync(recordFile(copy, 'state1', '.')), `${where}: ${now.output}`);
          configure(copy, 'B', 'volume');
          mountBoth(copy, 'B');
          const old = await runHere(copy, 'B', ['clients', address]);
          t.true(
            clients.every((client) => old.output.includes(`"${client}"`)),
            `${where}: ${old.output}`,
          );
        }
        await succeed(t, copy, 'A', move);
        t.deepEqual(await recorded(copy), clients, where);
        struck += 1;
      } finally {
        removeSite(copy);
      }
    }
  }
  t.true(struck > 3);
  t.log(`${struck} strikes at ${effects.length} effects`);
});
