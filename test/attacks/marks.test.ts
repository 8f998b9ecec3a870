// marks/ belongs to statd's user, who talks to the network: whatever is in it, B-2 goes on, release too, and status reads no more
// of it than it shows.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { clearMark, readMarks } from '../../src/rundir/marks.js';
import { runHere } from '../fault/site.js';
import { makeRehearsal, type RehearsalSite } from '../helpers/rehearsal-site.js';
import { projectRoot } from '../lab/project-root.js';
import { makeSite } from '../record/helpers/site.js';

const address = '127.77.34.1';

function rehearsal(t: ExecutionContext): { site: RehearsalSite; marks: string } {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const marks = site.a.path('/run/nlm-failover/marks');
  mkdirSync(marks, { recursive: true });
  return { site, marks };
}

for (const [what, make] of [
  ['an empty directory', (mark: string) => mkdirSync(mark)],
  [
    'a directory with something in it',
    (mark: string) => void mkdirSync(path.join(mark, 'x'), { recursive: true }),
  ],
  ['a link to a directory', (mark: string) => symlinkSync('/etc', mark)],
  ['a link to nothing', (mark: string) => symlinkSync('/absent/x', mark)],
  ['a FIFO', (mark: string) => void spawnSync('mkfifo', [mark])],
  ['a file that nobody may write', (mark: string) => writeFileSync(mark, 'x', { mode: 0 })],
] as const) {
  test(`${what} in the place of the address's mark: takeover goes on, and says what it could not clear`, async (t) => {
    const { site, marks } = rehearsal(t);
    make(path.join(marks, address));
    make(path.join(marks, 'unsynced'));
    const { exitCode, output } = await runHere(site.directory, 'A', ['takeover', '--no-wait', address]);
    t.is(exitCode, 0, output);
    t.is(/marks.* could not be cleared/.test(output), what.includes('in it'), output);
    const status = await runHere(site.directory, 'A', ['status']);
    t.is(status.exitCode, 0, status.output);
    const released = await runHere(site.directory, 'A', ['release', address]);
    t.is(released.exitCode, 0, released.output);
  });
}

test('only the marks that are asked for are read', (t) => {
  const { state: run } = makeSite(t);
  mkdirSync(path.join(run, 'marks'));
  for (const name of ['10.10.1.1', '10.10.1.2', 'refused'])
    writeFileSync(path.join(run, 'marks', name), `${name} x\n`);
  t.deepEqual(readMarks(run, ['10.10.1.2', 'absent', '../marks/refused']), [
    { address: '10.10.1.2', text: '10.10.1.2 x' },
  ]);
  t.is(clearMark(run, '../marks/refused'), undefined);
  t.is(readMarks(run, ['refused']).length, 1);
  rmSync(path.join(run, 'marks'), { recursive: true });
  t.deepEqual(readMarks(run, ['refused']), []);
  writeFileSync(path.join(run, 'marks'), '');
  t.deepEqual(
    readMarks(run, ['refused']).map(({ text }) => text),
    ['a mark that cannot be read (ENOTDIR)'],
  );
});

(process.getuid?.() === 0 ? test : test.skip)(
  'a full /run: the address is released and taken over all the same',
  (t) => {
    const { site } = rehearsal(t);
    const script = [
      'set -e; run=$1; shift',
      'mount -t tmpfs -o size=128k tmpfs "$run"',
      '"$@" takeover --no-wait "$ADDRESS"',
      'dd if=/dev/zero of="$run/rpc.statd.pid" bs=1k 2>/dev/null || :',
      'for n in 1 2 3 4 5 6 7 8; do echo x >"$run/nlm-failover/marks/$n" 2>/dev/null || :; done',
      '"$@" status >/dev/null; "$@" release "$ADDRESS"; "$@" takeover --no-wait "$ADDRESS"',
      '"$@" status >"$run/../status"',
    ].join('\n');
    const bin = path.join(projectRoot(), 'bin', 'nlm-failover');
    const { status, stderr, stdout } = spawnSync(
      'unshare',
      ['-m', '--', 'sh', '-c', script, 'sh', site.a.path('/run'), process.execPath, bin],
      {
        encoding: 'utf8',
        env: {
          ...process.env,
          ADDRESS: address,
          NLM_FAILOVER_REHEARSAL: site.a.root,
          NLM_FAILOVER_CONFIG: site.a.config,
        },
      },
    );
    t.is(status, 0, stdout + stderr);
    t.regex(readFileSync(site.a.path('/status'), 'utf8'), /the file system of marks is full/);
  },
);
