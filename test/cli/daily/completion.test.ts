// Completion in a real bash, without anything that a login brings along.
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { buildProgram } from '../../../src/cli/program.js';
import { projectRoot } from '../../lab/project-root.js';

const run = promisify(execFile);
const quiet = { out: () => undefined, err: () => undefined, clearLine: () => undefined, isTerminal: false };
const program = buildProgram(quiet, () => undefined);
const commands = program.createHelp().visibleCommands(program);
const names = commands.map((command) => command.name());

const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-completion-'));
test.after.always(() => rmSync(directory, { recursive: true }));
const config = path.join(directory, 'a.toml');
const script = path.join(directory, 'completion');
const ran = path.join(directory, 'ran');
writeFileSync(
  config,
  `node = "a" # address = "10.9.9.1/24"
[other]
address = "10.9.9.2/24"
[[floating_ip]]
address = "10.10.1.1/24"
# address = "10.9.9.3/24"
  [[floating_ip.filesystem]]
  address = "10.9.9.4/24"
[[ floating_ip ]]   # the second
  address='fd00:10::2/64'
[[floating_ip]]
interface = "eth0"
address   =   "fd00:10::3/64"
[[floating_ip]]
address = "$(touch ${ran})"
[[floating_ip]]
address = "10.10.2.1/24"`,
);
test.before(async () => {
  const bin = path.join(projectRoot(), 'bin', 'nlm-failover');
  writeFileSync(script, (await run(process.execPath, [bin, 'completion', 'bash'])).stdout);
});

/** What bash is told for a line that ends at the cursor. */
async function replies(line: string, environment: NodeJS.ProcessEnv = {}): Promise<string[]> {
  const drive = `source "$1"; COMP_LINE=$2 COMP_POINT=\${#2}; COMP_WORDS=($2); COMP_CWORD=$((\${#COMP_WORDS[@]}-1))
    _nlm_failover || exit; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { PATH: process.env['PATH'], NLM_FAILOVER_CONFIG: config, ...environment };
  const { stdout } = await run('bash', ['--norc', '-c', drive, 'bash', script, line], {
    env,
    cwd: directory,
  });
  return stdout.split('\n').filter((one) => one !== '');
}

test('bash takes it, and takes it for nlm-failover', (t) => {
  const said = execFileSync('bash', [
    '--norc',
    '-eu',
    '-c',
    'source "$1"; complete -p nlm-failover',
    'bash',
    script,
  ]);
  t.is(said.toString(), 'complete -F _nlm_failover nlm-failover\n');
});

test('each command, and each option of each, as the definitions have them', async (t) => {
  t.deepEqual(await replies('nlm-failover '), names);
  t.deepEqual(await replies('nlm-failover help '), names);
  t.true(names.includes('takeover') && !names.includes('notify-worker'));
  await Promise.all(
    commands.map(async (command) => {
      const options = command.createHelp().visibleOptions(command);
      const wanted = options.flatMap(({ short, long }) => [short, long]).filter((one) => one !== undefined);
      t.deepEqual(await replies(`nlm-failover ${command.name()} -`), wanted, command.name());
    }),
  );
});

for (const [line, ...wanted] of [
  ['nlm-failover ta', 'takeover'],
  ['nlm-failover --log-level debug ta', 'takeover'],
  ['nlm-failover --log-level ', 'trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
  ['nlm-failover status --log-level w', 'warn'],
  ['nlm-failover status --log-level=w', 'warn'],
  ['nlm-failover takeover --order ', 'safe', 'published'],
  ['nlm-failover takeover --fe', '--fenced'],
  ['nlm-failover takeover ', '10.10.1.1', 'fd00:10::2', 'fd00:10::3', '10.10.2.1'],
  ['nlm-failover takeover 10.10.1', '10.10.1.1'],
  // Readline goes on after the last colon.
  ['nlm-failover takeover fd00:10:', ':2', ':3'],
  ['nlm-failover takeover fd00:10::', '2', '3'],
  ['nlm-failover takeover f', 'fd00:10::2', 'fd00:10::3'],
  ['nlm-failover takeover --fenced --steps B-2 10.10.2', '10.10.2.1'],
  ['nlm-failover takeover 10.10.1.1 '],
  ['nlm-failover pacemaker 10.10', '10.10.1.1', '10.10.2.1'],
  ['nlm-failover pacemaker 10.10.1.1 ', 'fd00:10::2', 'fd00:10::3', '10.10.2.1'],
  ['nlm-failover pacemaker --apply fd00:10::2 10.10.1.1 10.10', '10.10.2.1'],
  ['nlm-failover pacemaker 10.10.1.1 fd00:10::', '2', '3'],
  ['nlm-failover pacemaker 10.10.1.1 fd00:10::2 fd00:10::', '3'],
  ['nlm-failover pacemaker 10.10.1.1 10.10.2.1 --format ', 'pcs', 'crm', 'xml'],
  ['nlm-failover takeover 10.10.1.1 --no', '--notify-deadline', '--no-wait'],
  ['nlm-failover takeover --notify-deadline '],
  ['/usr/sbin/nlm-failover release --steps ', 'A-1', 'A-2', 'A-3', 'A-4'],
  ['nlm-failover release --steps A-1,A-3,', 'A-1,A-3,A-2', 'A-1,A-3,A-4'],
  ['nlm-failover release --steps=A-1,A-2,A-3,A', 'A-1,A-2,A-3,A-4'],
  ['nlm-failover takeover --steps B-1,B', 'B-1,B-2', 'B-1,B-3', 'B-1,B-4', 'B-1,B-5'],
  ['nlm-failover completion ', 'bash'],
  ['nlm-failover move-record 10.10.1.1 --from /usr/sb', '/usr/sbin'],
  ['nlm-failover sm-directory 10.10.1.1 /usr/sb', '/usr/sbin'],
  ['nlm-failover metrics --output a', 'a.toml'],
  ['nlm-failover metrics --output=a', 'a.toml'],
  ['nlm-failover exec 10.10.1.1 -- exportf', 'exportfs'],
  ['nlm-failover exec 10.10.1.1 -- ls a', 'a.toml'],
  ['nlm-failover exec 10.10.1.1 -- ls -'],
  ['nlm-failover nonsense '],
  ['nlm-failover status --config absent.toml '],
] as const) {
  test(`${line}|`, async (t) => {
    const found = await replies(line);
    // A command that lies in two directories comes twice.
    t.deepEqual([...new Set(found)], [...wanted]);
  });
}

test('the addresses are those of the file that the command line names, and nothing in a file is run', async (t) => {
  const other = path.join(directory, 'other.toml');
  writeFileSync(other, '[[floating_ip]]\naddress = "192.0.2.1/24"\n');
  for (const words of [`--config ${other} takeover`, `takeover -c ${other}`, `takeover --config=${other}`])
    t.deepEqual(await replies(`nlm-failover ${words} `), ['192.0.2.1'], words);
  t.is((await replies('nlm-failover release ')).length, 4);
  t.throws(() => execFileSync('cat', [ran], { stdio: 'pipe' }));
});

test('typed at a terminal', async (t) => {
  // Readline, with the word breaks that it has; "nlm-failover" says what it was given.
  const shell = spawn('script', ['-qec', 'bash --norc --noprofile -i', '/dev/null'], {
    env: {
      PATH: process.env['PATH'],
      NLM_FAILOVER_CONFIG: config,
      INPUTRC: '/dev/null',
      PS1: '$ ',
      TERM: 'dumb',
    },
    cwd: directory,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => void shell.kill());
  let seen = '';
  const saw = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(seen)) return;
        shell.stdout.off('data', look);
        resolve();
      };
      shell.stdout.on('data', look);
      shell.once('exit', () => reject(new Error(`bash ended: ${seen}`)));
      look();
    });
  shell.stdout.on('data', (bytes: Buffer) => (seen += bytes.toString()));
  shell.stdin.write(`source ${script}; nlm-failover() { printf '<%s>' "$@"; echo; }; echo rea''dy\n`);
  await saw(/^ready/m);
  for (const [typed, given] of [
    ['nlm-failover takeov\tfd00:10::\u00073\t\n', '<takeover><fd00:10::3>'],
    [
      'nlm-failover takeover fd00:10::2\t--steps B-1,B-\u00075\t --ord\tpu\t\n',
      '<takeover><fd00:10::2><--steps><B-1,B-5><--order><published>',
    ],
    ['nlm-failover status --log-level=de\t10.10.2\t\n', '<status><--log-level=debug><10.10.2.1>'],
  ] as const) {
    shell.stdin.write(typed.replaceAll('\u0007', ''));
    await saw(new RegExp(`^${given.replaceAll(/[.]/g, '\\.')}`, 'm'));
  }
  const ended = once(shell, 'exit');
  shell.stdin.end('exit\n');
  t.is((await ended)[0], 0);
});
