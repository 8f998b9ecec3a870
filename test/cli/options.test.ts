// The options that every command has, before the command and after it; and that help fits a terminal.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { buildProgram } from '../../src/cli/program.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { runHere } from '../helpers/run-here.js';
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

/** The same in this process, as on a machine where nothing is configured. */
async function here(...args: string[]): Promise<Ended> {
  const { exitCode, stdout, stderr } = await runHere('', '/nonexistent.toml', args);
  return { code: exitCode, stdout, stderr };
}

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
    const { code, stderr } = await here(...args);
    t.is(code, 3, args.join(' '));
    t.true(stderr.startsWith(`nlm-failover: ${file}`), `${args.join(' ')}: ${stderr}`);
  }
});

test('--json works before the command too, also for the error at the end', async (t) => {
  const { wrong } = twoFiles(t);
  const failed = await here('--json', 'status', '--config', wrong);
  t.is(failed.code, 3);
  t.like(JSON.parse(failed.stdout), { result: 'failed', error: { code: 'CONFIG_INVALID' } });
  const a = site(t);
  const taken = await a.here(['--json', 'takeover', address]);
  t.is(taken.exitCode, 0, taken.stderr);
  t.like(JSON.parse(taken.stdout.trimEnd().split('\n').at(-1) ?? ''), { result: 'done' });
  t.like(JSON.parse((await a.here(['--json', 'status'])).stdout), { address });
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
    await a.here(['release', address]);
    t.is(stderr.includes('"msg":"doing"'), isLogged, [...before, 'takeover', ...after].join(' '));
  }
});

test('an option that only one command has is none before it', async (t) => {
  const { code, stderr } = await here('--fenced', 'takeover', '10.10.1.1');
  t.is(code, 2);
  t.regex(stderr, /unknown option '--fenced'/);
  t.is((await here('--log-level', 'loud', 'status')).code, 2);
});

test('options that mean nothing together are refused', async (t) => {
  for (const words of [
    ['pacemaker', '--teardown', '--prefer', 'A'],
    ['pacemaker', '--prefer', 'A', '--apply', '--teardown'],
    ['release', '10.10.1.1', '--freeze', '--dry-run'],
  ]) {
    const { code, stderr } = await here(...words);
    t.is(code, 2, words.join(' '));
    t.regex(stderr, /^nlm-failover: .*option '--(?:teardown|freeze)' cannot be used with option '/);
  }
});

const commands = [
  '',
  ...buildProgram(
    { out: () => undefined, err: () => undefined, clearLine: () => undefined, isTerminal: false },
    () => undefined,
  ).commands.map((one) => one.name()),
];
const helpOf = (command: string) => [...(command === '' ? [] : [command]), '--help'];

/** A terminal of 200 columns, which script(1) makes, for a program. */
const atWideTerminal = (...program: string[]) =>
  run('script', [
    '--quiet',
    '--return',
    '--command',
    `stty cols 200 && exec ${program.join(' ')}`,
    '/dev/null',
  ]);

// One process for the helps of all commands, as what differs is around it: starting one for each took nearly all of the time.
const everyHelp = [process.execPath, path.join(import.meta.dirname, 'helpers', 'every-help.js')] as const;
const surroundings: Readonly<Record<string, () => Promise<Ended>>> = {
  'COLUMNS=40': () => run(everyHelp[0], [everyHelp[1]], { COLUMNS: '40' }),
  'COLUMNS=80': () => run(everyHelp[0], [everyHelp[1]], { COLUMNS: '80' }),
  'COLUMNS=200': () => run(everyHelp[0], [everyHelp[1]], { COLUMNS: '200' }),
  'a terminal of 200 columns': () => atWideTerminal(...everyHelp),
};

test('help fits 80 columns, of every command, and is the same wherever it is read', async (t) => {
  const helps: string[] = [];
  for (const command of commands) {
    const { code, stdout, stderr } = await here(...helpOf(command));
    t.deepEqual([code, stderr], [0, ''], command);
    for (const line of stdout.split('\n')) t.true(line.length <= 80, `${command}: ${line}`);
    helps.push(`${stdout}--- ${command} ended with 0\n`);
  }
  for (const [where, read] of Object.entries(surroundings)) {
    const { code, stdout, stderr } = await read();
    t.deepEqual([code, stderr], [0, ''], where);
    t.is(stdout.replaceAll('\r\n', '\n'), helps.join(''), where);
  }
});

test('the program itself prints its help so too', async (t) => {
  const plain = await tool('--help');
  for (const columns of ['40', '80', '200'])
    t.deepEqual(await run(process.execPath, [bin, '--help'], { COLUMNS: columns }), plain, columns);
  const wide = await atWideTerminal(process.execPath, bin, '--help');
  t.is(wide.stdout.replaceAll('\r\n', '\n'), plain.stdout);
});
