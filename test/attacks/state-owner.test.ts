// The owner of the volume's top, or of any directory above the record, can move it away and put another one there: that is
// refused, and never taken for a record that nobody has made yet.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runHere } from '../fault/site.js';
import { holdDirectory } from '../../src/record/safe-files/held-directory.js';
import { makeRehearsal, type RehearsalSite } from '../helpers/rehearsal-site.js';
import { makeSite } from '../record/helpers/site.js';
import { plantSuperJournal } from './super-journal.js';

const address = '127.77.32.1';
const asRoot = process.getuid?.() === 0 ? test : test.skip;

interface Volume {
  readonly site: RehearsalSite;
  /** The volume's top. */
  readonly top: string;
}

/** A serves the address; its record is in .nlm of the volume. */
async function served(t: ExecutionContext, stateDirectory = '/mnt/vol1/.nlm'): Promise<Volume> {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory });
  t.teardown(() => site.remove());
  chmodSync(site.directory, 0o711);
  const taken = await runHere(site.directory, 'A', ['takeover', '--no-wait', address]);
  t.is(taken.exitCode, 0, taken.output);
  return { site, top: path.join(site.directory, 'disks/vol1') };
}

/** Runs a script as the volume's owner, below its top. */
function asOwner(t: ExecutionContext, top: string, script: string): void {
  const { status, stderr } = spawnSync(
    'setpriv',
    ['--reuid=1000', '--regid=1000', '--clear-groups', 'sh', '-ec', script],
    { cwd: top, encoding: 'utf8' },
  );
  t.is(status, 0, stderr);
}

async function refused(t: ExecutionContext, { site }: Volume, said: RegExp): Promise<void> {
  for (const [node, ...args] of [
    ['A', 'status'],
    ['A', 'clients'],
    ['A', 'audit', address],
    ['A', 'rebuild', '--force', address],
    ['A', 'release', address],
    ['A', 'takeover', '--no-wait', address],
    ['B', 'takeover', '--no-wait', '--fenced', address],
  ] as const) {
    const { exitCode, output } = await runHere(site.directory, node, args);
    t.is(exitCode, 1, `${node} ${args.join(' ')}: ${output}`);
    t.regex(output, /"code":"RECORD_UNSAFE"/, `${node} ${args.join(' ')}`);
    t.regex(output, said, `${node} ${args.join(' ')}`);
  }
}

asRoot("the volume's top belongs to somebody else: its .nlm may be theirs tomorrow", async (t) => {
  const volume = await served(t);
  chownSync(volume.top, 1000, 1000);
  await refused(t, volume, /vol1, on the way to \S+, belongs to uid 1000/);
});

asRoot(
  'they have moved .nlm away, or put one of their own there: no "none yet", and no new record',
  async (t) => {
    const volume = await served(t);
    chownSync(volume.top, 1000, 1000);
    asOwner(t, volume.top, 'mv .nlm gone');
    await refused(t, volume, /vol1, on the way to \S+, belongs to uid 1000/);
    asOwner(t, volume.top, 'mkdir .nlm');
    await refused(t, volume, /vol1, on the way to \S+, belongs to uid 1000/);
    asOwner(t, volume.top, 'rmdir .nlm; ln -s gone .nlm');
    await refused(t, volume, /vol1, on the way to \S+, belongs to uid 1000/);
  },
);

asRoot('while they exchange .nlm and a directory of their own, root deletes and makes nothing', async (t) => {
  const { site, top } = await served(t);
  const victim = path.join(site.directory, 'shadow');
  writeFileSync(victim, 'root:secret\n', { mode: 0o600 });
  const theirs = path.join(top, 'evil', `sm_${address}`);
  mkdirSync(theirs, { recursive: true });
  const copied = spawnSync('cp', [path.join(top, '.nlm', `sm_${address}`, 'monitors.db'), theirs]);
  t.is(copied.status, 0);
  plantSuperJournal(path.join(theirs, 'monitors.db'), victim);
  for (const one of [top, path.join(top, 'evil')]) chownSync(one, 1000, 1000);
  for (let round = 0; round < 6; round += 1) {
    asOwner(t, top, 'mv .nlm was; mv evil .nlm; mv was evil');
    const { exitCode, output } = await runHere(site.directory, 'A', ['status']);
    t.is(exitCode, 1, output);
    t.true(existsSync(victim), output);
  }
});

for (const [what, mode, said] of [
  ['group may write', 0o775, /writable by others, and not sticky/],
  ['everybody may write', 0o777, /writable by others, and not sticky/],
  ['the group may write and names are inherited', 0o2775, /writable by others, and not sticky/],
] as const) {
  test(`a volume to whose top its ${what}`, async (t) => {
    const volume = await served(t);
    chmodSync(volume.top, mode);
    await refused(t, volume, said);
  });
}

test('a top as /tmp has it: others may write, but not turn what is root’s', async (t) => {
  const { site, top } = await served(t);
  chmodSync(top, 0o1777);
  const { exitCode, output } = await runHere(site.directory, 'A', ['status']);
  t.is(exitCode, 0, output);
});

asRoot('any directory on the way, above the state directory or above the mount point', async (t) => {
  const volume = await served(t, '/mnt/vol1/a/b/.nlm');
  for (const part of ['a', 'a/b', '..']) {
    const directory = path.join(volume.top, part);
    chownSync(directory, 1000, 1000);
    await refused(t, volume, /belongs to uid 1000/);
    chownSync(directory, 0, 0);
  }
  const after = await runHere(volume.site.directory, 'A', ['status']);
  t.is(after.exitCode, 0, after.output);
});

asRoot(
  'a link of somebody else’s on the way, as they may make one in /tmp: not followed, to whatever it leads',
  (t) => {
    const { state } = makeSite(t);
    chmodSync(state, 0o1777);
    const [real, link] = [path.join(state, 'real'), path.join(state, 'link')];
    mkdirSync(path.join(real, 'below'), { recursive: true });
    symlinkSync(real, link);
    holdDirectory(path.join(link, 'below'))?.close();
    lchownSync(link, 1000, 1000);
    for (const directory of [link, path.join(link, 'below')]) {
      t.throws(() => holdDirectory(directory), {
        code: 'RECORD_UNSAFE',
        message: /link is a symbolic link that belongs to uid 1000/,
      });
    }
  },
);

test('another directory is put in the place of one that is in use: nothing of it is used', (t) => {
  const site = makeSite(t);
  const record = site.open();
  record.claim({ node: 'A', fenced: false, now: 1 });
  renameSync(site.directory, `${site.directory}.away`);
  t.throws(() => record.fold(), { code: 'RECORD_REPLACED' });
  mkdirSync(site.directory);
  writeFileSync(path.join(site.directory, 'journal.A'), 'not a journal');
  t.throws(() => record.fold(), { code: 'RECORD_REPLACED', message: /sm_10\.10\.1\.1 was replaced/ });
  renameSync(site.directory, `${site.directory}.theirs`);
  renameSync(`${site.directory}.away`, site.directory);
  t.deepEqual(site.open().badLines(), []);
});

test('what is opened below a directory that is held is in that directory, whoever has its name', (t) => {
  const { state } = makeSite(t);
  const directory = path.join(state, 'a');
  mkdirSync(directory);
  const held = holdDirectory(directory);
  if (held === undefined) return void t.fail();
  t.teardown(() => held.close());
  writeFileSync(held.at('mine'), '');
  renameSync(directory, path.join(state, 'b'));
  mkdirSync(directory);
  writeFileSync(path.join(directory, 'theirs'), '');
  t.deepEqual(readdirSync(held.way), ['mine']);
  t.deepEqual(
    ['mine', 'theirs'].map((name) => existsSync(held.at(name))),
    [true, false],
  );
  t.false(held.isInPlace);
  t.is(holdDirectory(path.join(state, 'c')), undefined);
});
