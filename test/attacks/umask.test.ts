// Whatever the umask of whoever runs the command: nothing is made that others may write to, and no link that somebody has put in
// the way is followed.
import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { rehearsalHost } from '../../src/host/rehearsal/rehearsal.js';
import { makeMarks } from '../../src/rundir/marks.js';
import { lockOperation } from '../../src/rundir/operation-lock.js';
import { startServing } from '../../src/rundir/serving.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';
import { projectRoot } from '../lab/project-root.js';
import { makeSite } from '../record/helpers/site.js';

const address = '127.77.33.1';

function modes(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
    const { mode } = lstatSync(path.join(directory, name));
    const isLink = (mode & 0o170000) === 0o120000;
    return isLink ? [] : [`${(mode & 0o7777).toString(8)} ${name.replace(/-[0-9a-f]{8}$/, '')}`];
  });
}

test('takeover and release make the same modes with every umask', (t) => {
  const made = ['022', '0', '077'].map((umask) => {
    const site = makeRehearsal({ address, rpcbindPort: 1 });
    t.teardown(() => site.remove());
    const bin = path.join(projectRoot(), 'bin', 'nlm-failover');
    for (const args of [
      ['takeover', '--no-wait', address],
      ['release', address],
      ['takeover', '--no-wait', address],
    ]) {
      const script = `umask ${umask}; exec "$@"`;
      const { status, stderr } = spawnSync('sh', ['-c', script, 'sh', process.execPath, bin, ...args], {
        encoding: 'utf8',
        env: { ...process.env, NLM_FAILOVER_REHEARSAL: site.a.root, NLM_FAILOVER_CONFIG: site.a.config },
      });
      t.is(status, 0, stderr);
    }
    return [site.a.path('/run'), site.a.path('/mnt/vol1')].flatMap(modes);
  });
  for (const one of made) t.deepEqual(one, made[0]);
  t.deepEqual(
    made[0]?.filter((line) => (Number.parseInt(line, 8) & 0o022) !== 0),
    [],
  );
});

for (const name of ['', 'serving', 'sync', 'frozen', 'marks', 'locks']) {
  test(`a link in the place of ${name === '' ? 'the run directory' : name} is not followed`, async (t) => {
    const { state } = makeSite(t);
    const victim = path.join(state, 'etc');
    mkdirSync(victim, { mode: 0o755 });
    const run = path.join(state, 'run');
    if (name !== '') mkdirSync(run);
    symlinkSync(victim, path.join(run, name));
    const before = statSync(victim);
    await t.throwsAsync(
      async () => {
        lockOperation(run, address, 'takeover').release();
        await makeMarks(rehearsalHost(state), run, { uid: 65534, gid: 65534 });
        startServing(run, { address, journal: '/journal.A', synchronous: true });
      },
      { code: 'RUN_UNSAFE' },
    );
    const { mode, uid, ctimeMs } = statSync(victim);
    t.deepEqual([mode, uid, ctimeMs], [before.mode, before.uid, before.ctimeMs]);
    t.deepEqual(readdirSync(victim), []);
  });
}

(process.getuid?.() === 0 ? test : test.skip)(
  'a run directory that somebody else has made is refused',
  (t) => {
    const { state } = makeSite(t);
    const made = spawnSync('setpriv', [
      '--reuid=65534',
      '--clear-groups',
      'mkdir',
      '-p',
      path.join(state, 'run'),
    ]);
    t.not(made.status, 0, 'not below a directory of root’s');
    const run = path.join(state, 'run');
    spawnSync('install', ['-d', '-o', '65534', run]);
    t.throws(() => lockOperation(run, address, 'release'), { code: 'RUN_UNSAFE', message: /uid 65534/ });
  },
);

test('one that anybody could write to, as it was made once, is that no longer', (t) => {
  const { state } = makeSite(t);
  const run = path.join(state, 'run');
  mkdirSync(run);
  for (const mode of [0o777, 0o700]) {
    chmodSync(run, mode);
    lockOperation(run, address, 'release').release();
    t.is(statSync(run).mode & 0o7777, 0o755);
  }
});
