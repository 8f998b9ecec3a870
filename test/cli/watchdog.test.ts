// The watchdog's thread: where it is, where it is not, and what comes before it.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { silentFilesystemUnavailable, withSilentFilesystem } from '../helpers/silent-filesystem.js';
import { projectRoot } from '../lab/project-root.js';

const address = '127.77.11.1';

function temporary(t: ExecutionContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-watchdog-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

function rehearsedNode(t: ExecutionContext): RehearsalNode {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  return site.a;
}

/** Writes at the end which modules a process has loaded: Node's own, and those with a file. */
const reporter = `
process.once('exit', () => {
  const own = process.moduleLoadList.filter((name) => name.startsWith('NativeModule ')).map((name) => name.slice(13));
  require('node:fs').writeFileSync(process.env.REPORT, [...own, ...Object.keys(require.cache)].join('\\n'));
});
`;

/** The modules that a command loads. */
async function modulesOf(
  t: ExecutionContext,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<string[]> {
  const directory = temporary(t);
  const [preload, report] = [path.join(directory, 'reporter.cjs'), path.join(directory, 'report')];
  writeFileSync(preload, reporter);
  const bin = path.join(projectRoot(), 'bin/nlm-failover');
  await promisify(execFile)(process.execPath, ['--require', preload, bin, ...args], {
    env: { ...process.env, ...env, REPORT: report },
  });
  return readFileSync(report, 'utf8').split('\n');
}

/** Neither the thread nor SQLite, and none of what is dear among Node's own. */
const dear = ['worker_threads', 'crypto', 'readline', 'http', 'tls'];

test('a status that finds nothing starts no thread, and loads nothing that it does not use', async (t) => {
  const a = rehearsedNode(t);
  const modules = await modulesOf(t, ['status'], {
    NLM_FAILOVER_CONFIG: a.config,
    NLM_FAILOVER_RUN: a.path('/run/nlm-failover'),
  });
  t.true(modules.includes('child_process'), 'commander uses it');
  t.deepEqual(
    modules.filter((name) => dear.includes(name) || name.includes('/better-sqlite3/')),
    [],
  );
});

test('nor do --help, --version and a wrong usage', async (t) => {
  for (const args of [['--version'], ['takeover', '--help']]) {
    const modules = await modulesOf(t, args, {});
    t.deepEqual(
      modules.filter((name) => dear.includes(name)),
      [],
      args.join(' '),
    );
  }
});

test('there is a thread where a record is opened, and for whatever changes something', async (t) => {
  const a = rehearsedNode(t);
  const env = { NLM_FAILOVER_CONFIG: a.config, NLM_FAILOVER_REHEARSAL: a.root };
  for (const args of [
    ['takeover', address],
    ['status'],
    ['clients'],
    ['audit', address],
    ['notify', address],
    ['rebuild', '--force', address],
    ['takeover', '--fenced', address],
    ['release', address],
  ])
    t.true((await modulesOf(t, args, env)).includes('worker_threads'), args.join(' '));
});

const noSilence = silentFilesystemUnavailable();
const unlessSilent = noSilence === undefined ? test : test.skip;

unlessSilent(
  `a configuration file that does not answer is said, and the command ends${noSilence ?? ''}`,
  async (t) => {
    t.timeout(60_000, 'fails instead of hanging');
    const directory = temporary(t);
    const file = path.join(directory, 'nlm-failover.toml');
    const [command, ...prefix] = await withSilentFilesystem(t, directory);
    const inside = path.join(import.meta.dirname, 'silent-config-inside.js');
    const child = spawn(command, [...prefix, process.execPath, inside, file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    t.teardown(() => void child.kill('SIGKILL'));
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    t.deepEqual(await once(child, 'close'), [null, 'SIGKILL'], said);
    t.true(said.includes(`a system call has not returned for 2 s, in or after: reading ${file}\n`), said);
  },
);

/** Opens the configuration only after longer than it is read without the thread, and says each time. */
const slowOpen = `
const files = require('node:fs');
const { open } = files;
files.open = (file, ...rest) => {
  if (!String(file).endsWith('nlm-failover.toml')) return open(file, ...rest);
  process._rawDebug('opened');
  setTimeout(() => open(file, ...rest), 2000);
};
`;

test('a configuration that is slow to come is read, once', async (t) => {
  const a = rehearsedNode(t);
  const slow = path.join(temporary(t), 'slow.cjs');
  writeFileSync(slow, slowOpen);
  const bin = path.join(projectRoot(), 'bin/nlm-failover');
  const child = spawn(process.execPath, ['--require', slow, bin, 'status', '--json', '--config', a.config], {
    env: { ...process.env, NLM_FAILOVER_RUN: a.path('/run/nlm-failover') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (said += piece));
  let opened = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (opened += piece));
  t.deepEqual(await once(child, 'close'), [0, null], opened);
  t.regex(said, /"address":"127\.77\.11\.1"/);
  t.is(opened, 'opened\n');
});

test('a Node that cannot load a module when it is wanted (before 20.16) loads it at the beginning', async (t) => {
  const a = rehearsedNode(t);
  const old = path.join(temporary(t), 'old.cjs');
  writeFileSync(old, 'delete process.getBuiltinModule;');
  const env = { NLM_FAILOVER_CONFIG: a.config, NLM_FAILOVER_REHEARSAL: a.root };
  const modules = await modulesOf(t, ['takeover', address], { ...env, NODE_OPTIONS: `--require=${old}` });
  t.true(modules.includes('worker_threads'));
});

test('what is read of the kernel’s memory needs no thread, but for what nfsd and lockd lock', async (t) => {
  for (const [file, isWatched] of [
    ['/proc/self/mountinfo', false],
    ['/proc/locks', false],
    ['/sys/class/net/eth0/flags', false],
    ['/run/nlm-failover/instances/10.10.1.1/grace', false],
    ['/proc/fs/nfsd/threads', true],
    ['/proc/fs/lockd/nlm_end_grace', true],
    ['/proc/77/root/proc/fs/nfsd/threads', true],
    ['/etc/fstab', true],
    ['/processes', true],
    ['/srv/run/file', true],
  ] as const) {
    const script = path.join(import.meta.dirname, 'watched-files-inside.js');
    const { stdout } = await promisify(execFile)(process.execPath, [script, file]);
    t.is(stdout, String(isWatched), file);
  }
});
