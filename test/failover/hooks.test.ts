// Hooks: told of what happened when it is recorded, and nothing that they do changes what their command says or ends with.
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runCommand } from '../../src/host/running/command.js';
import { projectRoot } from '../lab/project-root.js';
import { startLoopbackClient } from '../demo/loopback-client.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { addClient } from '../helpers/rehearsal-steps.js';
import { stateOf } from '../helpers/process-state.js';

const address = '127.77.43.1';

type Event = Readonly<Record<string, unknown>>;

/** A node whose hooks lie in /hooks; `hooks` sets what the configuration has of them. */
async function fixture(t: ExecutionContext) {
  const client = await startLoopbackClient('127.77.43.9', 0, () => undefined);
  const site = makeRehearsal({ address, rpcbindPort: client.port, stateDirectory: '/shared' });
  let isOpen = true;
  const hangUp = (): void => {
    if (isOpen) client.close();
    isOpen = false;
  };
  t.teardown(() => {
    hangUp();
    site.remove();
  });
  mkdirSync(path.join(site.directory, 'shared'));
  for (const node of [site.a, site.b]) {
    node.link('/shared', path.join(site.directory, 'shared'));
    mkdirSync(node.path('/hooks'));
  }
  const plain = site.a.read('/etc/nlm-failover.toml');
  const configure = (node: RehearsalNode, keys: string) =>
    node.write('/etc/nlm-failover.toml', `${plain.replace('"A"', `"${node.name}"`)}\n[hooks]\n${keys}\n`);
  const script = (node: RehearsalNode, name: string, text: string) => {
    node.write(`/hooks/${name}`, `#!/bin/sh\n${text}\n`);
    chmodSync(node.path(`/hooks/${name}`), 0o755);
  };
  return { ...site, client: client.address, hangUp, plain, configure, script };
}

function eventsIn(node: RehearsalNode, file: string): Event[] {
  if (!existsSync(node.path(file))) return [];
  const lines = node.read(file).split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Event);
}

test('an event for how it ended, and one for what was lost', async (t) => {
  const { a, b, client, hangUp, plain, configure, script } = await fixture(t);
  const all = (node: RehearsalNode) => {
    const hook = `["/hooks/note", "${node.path('/events')}", "two words; \\"$HOME\\""]`;
    configure(node, `on_done = ${hook}\non_failed = ${hook}\non_lost = ${hook}`);
    script(node, 'note', 'cat >>"$1"; printf "%s\\n" "$2" >"$1.word"; env >"$1.env"; pwd >"$1.pwd"');
  };
  all(a);
  all(b);
  // By the time of its hook an operation is recorded, and holds nothing: another one of the same address can run.
  a.write('/plain.toml', plain);
  const nested = `NLM_FAILOVER_REHEARSAL='${a.root}' '${process.execPath}' '${projectRoot()}/bin/nlm-failover' --config '${a.path('/plain.toml')}'`;
  script(
    a,
    'nested',
    `${nested} history --json --last 1 >'${a.path('/nested')}' && ${nested} takeover --no-wait ${address} >>'${a.path('/nested')}'`,
  );
  configure(a, 'on_done = ["/hooks/nested"]\ndeadline = 60');
  const first = await a.tool(['takeover', '--no-wait', address]);
  t.deepEqual([first.exitCode, first.stderr], [0, '']);
  t.regex(a.read('/nested'), /^\{.*"kind":"takeover".*"outcome":"done".*\}\n/);
  t.regex(a.read('/nested'), /: done in/);

  all(a);
  addClient(a, client);
  t.is((await a.here(['release', address, '--dry-run'])).exitCode, 0);
  t.deepEqual(eventsIn(a, '/events'), [], 'nothing was done');
  const refused = await b.here(['takeover', address]);
  t.is(refused.exitCode, 4);
  t.is((await b.here(['takeover', address, '--fenced', '--no-wait'])).exitCode, 0);
  hangUp();
  b.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  t.is((await b.here(['audit', address])).exitCode, 6);
  t.is((await b.here(['audit', address])).exitCode, 6);
  const [failed, done, lost, ...more] = eventsIn(b, '/events');
  const common = { node: 'B', address, driver: 'lockd' };
  t.like(failed, { event: 'failed', operation: 'takeover', result: 'failed', epoch: null, ...common });
  t.like(failed?.['error'], {
    code: 'NOT_RELEASED',
    message: 'node A owns the address (epoch 1) and has not released it',
  });
  t.like(done, { event: 'done', operation: 'takeover', result: 'done', epoch: 2, ...common });
  t.deepEqual(done?.['clients'], { notified: 1, notNotified: 0 });
  t.is(done?.['error'], undefined);
  t.like(lost, { event: 'lost', operation: 'audit', result: 'lost', lostCount: 1, ...common });
  t.like((lost?.['lost'] as Event[] | undefined)?.[0], { verdict: 'silent', clients: [client] });
  t.deepEqual(more, [], 'what was found before is not told again');
  for (const event of [failed, done, lost]) {
    t.true(Math.abs(Date.parse(String(event?.['time'])) - Date.now()) < 600_000);
    t.true(Number(event?.['seconds']) >= 0);
  }
  t.is(b.read('/events.word'), 'two words; "$HOME"\n', 'no shell');
  t.is(b.read('/events.pwd'), '/\n');
  const names = b
    .read('/events.env')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/=.*/, ''));
  t.deepEqual(names.filter((name) => !['PWD', 'SHLVL', 'OLDPWD', '_'].includes(name)).toSorted(), [
    'LC_ALL',
    'PATH',
  ]);
});

interface Bad {
  readonly text: string;
  readonly says: RegExp;
  /** What is done to it before. */
  readonly prepare?: (node: RehearsalNode) => void;
}

const bad: Readonly<Record<string, Bad>> = {
  fails: { text: 'echo sorry >&2; exit 3', says: /\(\/hooks\/fails\) ended with 3: sorry/ },
  hangs: {
    text: `trap '' TERM\nsleep 1000 &\necho $$ $! >"$0.pids"\nwhile :; do sleep 1000; done`,
    says: /hangs\) was not done within 1 s: .* ignored SIGTERM, and was killed/,
  },
  floods: { text: 'yes >&2 & exec yes flood', says: /floods\) was not done within 1 s: / },
  'leaves-a-flood': {
    text: 'yes leaves-a-flood & echo $! >"$0.pids"; exit 5',
    says: /leaves-a-flood\) ended with 5: /,
  },
  // Each half of a tenth of a second, so that there is always more to come.
  'leaves-a-drip': {
    text: 'printf .; while :; do printf .; sleep 0.05; done & exit 7',
    says: /leaves-a-drip\) ended with 7: \./,
  },
  'closes-stdin': { text: 'exec <&-; exit 4', says: /closes-stdin\) ended with 4: it said nothing/ },
  'leaves-a-daemon': {
    text: 'setsid sleep 1000 & echo $! >"$0.pids"; exit 6',
    says: /leaves-a-daemon\) ended with 6: it said nothing/,
  },
  'kills-itself': { text: 'kill -9 $$', says: /kills-itself\) ended with 137: / },
  'no-program': {
    text: '',
    says: /no-program\) was not run: it is no executable file/,
    prepare: (node) => chmodSync(node.path('/hooks/no-program'), 0o644),
  },
  'others-can-write': {
    text: 'touch "$0.was-run"',
    says: /was not run: .*\/hooks\/others-can-write can be written by others than root/,
    prepare: (node) => chmodSync(node.path('/hooks/others-can-write'), 0o775),
  },
  'below/open': {
    text: '',
    says: /was not run: .*\/hooks\/below can be written by others than root/,
    prepare: (node) => chmodSync(node.path('/hooks/below'), 0o777),
  },
  absent: {
    text: '',
    says: /absent\) was not run: it is not there/,
    prepare: (node) => node.remove('/hooks/absent'),
  },
  'no-interpreter': {
    text: '',
    says: /\(\/hooks\/no-interpreter\): ".*" could not be run: /,
    prepare: (node) => node.write('/hooks/no-interpreter', '#!/absent/interpreter\n'),
  },
};

test("a hook that fails, hangs, floods, forks or is anybody's changes nothing, and is named", async (t) => {
  const { a, b, configure, script, plain } = await fixture(t);
  t.is((await a.here(['takeover', '--no-wait', address])).exitCode, 0);
  const times = (text: string) => text.replaceAll(/ +\d+ ms|in \d+\.\d s/g, '');
  a.write('/etc/nlm-failover.toml', plain);
  const without = await a.tool(['takeover', '--no-wait', address]);
  t.deepEqual([without.exitCode, without.stderr], [0, '']);
  mkdirSync(a.path('/hooks/below'));
  for (const [name, { text, says, prepare }] of Object.entries(bad)) {
    script(a, name, text);
    prepare?.(a);
    configure(a, `on_done = ["/hooks/${name}"]\ndeadline = 1`);
    const { exitCode, stdout, stderr } = await a.tool(['takeover', '--no-wait', address]);
    t.deepEqual([exitCode, times(stdout)], [0, times(without.stdout)], name);
    const [logged = '', said = '', ...more] = stderr.trimEnd().split('\n');
    t.regex(said, says);
    t.regex(said, /^nlm-failover: The hook on_done .*; the takeover of 127\.77\.43\.1 is as it was$/);
    t.deepEqual(more, [], name);
    t.like(JSON.parse(logged), { level: 40, hook: 'on_done', address, operation: 'takeover' });
    t.true(stderr.length < 2500, name);
  }
  t.false(existsSync(a.path('/hooks/others-can-write.was-run')));
  // Whatever had not ended at the deadline was ended, with its process group; a daemon that has left it is left alone.
  for (const pid of a.read('/hooks/hangs.pids').trim().split(' '))
    t.true([undefined, 'Z'].includes(stateOf(Number(pid))), 'ended');
  for (const [name, lives] of [
    ['leaves-a-flood', false],
    ['leaves-a-daemon', true],
  ] as const) {
    const pid = Number(a.read(`/hooks/${name}.pids`));
    if (lives) {
      t.is(stateOf(pid), 'S', name);
      process.kill(pid, 'SIGKILL');
    }
  }
  // Of a failed one the exit code stays too, and the error is the last line of --json.
  script(b, 'fails', bad['fails']?.text ?? '');
  configure(b, 'on_failed = ["/hooks/fails"]');
  const failed = await b.tool(['takeover', address, '--json']);
  t.is(failed.exitCode, 4);
  t.like(JSON.parse(failed.stdout.trimEnd().split('\n').at(-1) ?? ''), { result: 'failed', exitCode: 4 });
  t.regex(failed.stderr, /The hook on_failed .* ended with 3: sorry; the takeover of/);
});

test("a link to a hook is followed where it is root's", async (t) => {
  const { a, configure, script } = await fixture(t);
  script(a, 'real', 'cat >"$0.event"');
  symlinkSync('real', a.path('/hooks/link'));
  configure(a, 'on_done = ["/hooks/link"]');
  const { exitCode, stderr } = await a.tool(['takeover', '--no-wait', address]);
  t.deepEqual([exitCode, stderr], [0, '']);
  t.like(JSON.parse(readFileSync(a.path('/hooks/link.event'), 'utf8')), { event: 'done' });
});

test('of a flood the beginning is kept, and the rest read away', async (t) => {
  const flood = ['sh', '-c', 'head -c 30000000 /dev/zero; head -c 30000000 /dev/zero >&2; exit 3'] as const;
  const { exitCode, stdout, stderr } = await runCommand(flood, { keep: 1000 });
  t.deepEqual([exitCode, stdout.length, stderr.length], [3, 1000, 1000]);
});
