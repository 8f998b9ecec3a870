// The options that every command has, before the command and after it; and that help fits a terminal.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { buildProgram } from '../../src/cli/program.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { projectRoot } from '../lab/project-root.js';

const address = '127.77.12.1';
const bin = path.join(projectRoot(), 'bin/nlm-failover');

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function run(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const { COLUMNS: _, NLM_FAILOVER_RUN: __, ...inherited } = process.env;
  return new Promise((resolve) => {
    execFile(file, args, { env: { ...inherited, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.signal ?? error.code), stdout, stderr });
    });
  });
}

const tool = (...args: string[]) => run(process.execPath, [bin, ...args]);

/** Two configurations, and what is said of either: of the first one that it is wrong, with exit code 3. */
function twoFiles(t: ExecutionContext): { wrong: string; absent: string } {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-options-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const wrong = path.join(directory, 'wrong.toml');
  writeFileSync(wrong, '[lock_manager]\ndriver = "magic"\n');
  return { wrong, absent: path.join(directory, 'absent.toml') };
}

function site(t: ExecutionContext): RehearsalNode {
  const made = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => made.remove());
  return made.a;
}

test('--config works before the command and after it, and the later one counts', async (t) => {
  const { wrong, absent } = twoFiles(t);
  for (const [args, file] of [
    [['--config', wrong, 'status'], wrong],
    [['-c', wrong, 'status'], wrong],
    [[`--config=${wrong}`, 'status'], wrong],
    [['status', '--config', wrong], wrong],
    [['--config', absent, 'status', '--config', wrong], wrong],
    [['--config', wrong, 'status', '--config', absent], absent],
    [['--config', absent, '--config', wrong, 'status'], wrong],
    [['--config', absent, 'status', '--config', absent, '-c', wrong], wrong],
    [['--config', wrong, 'takeover', '10.10.1.1', '--dry-run'], wrong],
  ] as const) {
    const { code, stderr } = await tool(...args);
    t.is(code, 3, args.join(' '));
    t.true(stderr.startsWith(`nlm-failover: ${file}`), `${args.join(' ')}: ${stderr}`);
  }
});

test('--json works before the command too, also for the error at the end', async (t) => {
  const { wrong } = twoFiles(t);
  const failed = await tool('--json', 'status', '--config', wrong);
  t.is(failed.code, 3);
  t.like(JSON.parse(failed.stdout), { result: 'failed', error: { code: 'CONFIG_INVALID' } });
  const a = site(t);
  const taken = await a.tool(['--json', 'takeover', address]);
  t.is(taken.exitCode, 0, taken.stderr);
  t.like(JSON.parse(taken.stdout.trimEnd().split('\n').at(-1) ?? ''), { result: 'done' });
  t.like(JSON.parse((await a.tool(['--json', 'status'])).stdout), { address });
});

test('--log-level works before the command and after it, and the later one counts', async (t) => {
  const a = site(t);
  for (const [before, after, isLogged] of [
    [['--log-level', 'info'], [], true],
    [[], ['--log-level', 'info'], true],
    [['--log-level', 'error'], ['--log-level', 'info'], true],
    [['--log-level', 'info'], ['--log-level', 'error'], false],
    [[], [], false],
  ] as const) {
    const { exitCode, stderr } = await a.tool([...before, 'takeover', address, ...after]);
    t.is(exitCode, 0, stderr);
    await a.tool(['release', address]);
    t.is(stderr.includes('"msg":"doing"'), isLogged, [...before, 'takeover', ...after].join(' '));
  }
});

test('an option that only one command has is none before it', async (t) => {
  const { code, stderr } = await tool('--fenced', 'takeover', '10.10.1.1');
  t.is(code, 2);
  t.regex(stderr, /unknown option '--fenced'/);
  t.is((await tool('--log-level', 'loud', 'status')).code, 2);
});

const commands = [
  '',
  ...buildProgram(
    { out: () => undefined, err: () => undefined, clearLine: () => undefined, isTerminal: false },
    () => undefined,
  ).commands.map((one) => one.name()),
];

for (const command of commands) {
  test(`help fits 80 columns: nlm-failover ${command}`.trim(), async (t) => {
    const args = [...(command === '' ? [] : [command]), '--help'];
    const plain = await tool(...args);
    t.is(plain.code, 0);
    for (const line of plain.stdout.split('\n')) t.true(line.length <= 80, line);
    for (const columns of ['40', '80', '200'])
      t.deepEqual(await run(process.execPath, [bin, ...args], { COLUMNS: columns }), plain, columns);
    // At a terminal that is wider, too: script(1) makes one.
    const wide = await run('script', [
      '--quiet',
      '--return',
      '--command',
      `stty cols 200 && exec ${process.execPath} ${bin} ${args.join(' ')}`,
      '/dev/null',
    ]);
    t.is(wide.stdout.replaceAll('\r\n', '\n'), plain.stdout);
  });
}
