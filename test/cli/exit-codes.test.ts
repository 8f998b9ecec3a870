import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { version } from '../../src/version.js';
import { projectRoot } from '../lab/project-root.js';

const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-cli-'));
test.after.always(() => rmSync(directory, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(...args: string[]): Promise<Ended> {
  const bin = path.join(projectRoot(), 'bin', 'nlm-failover');
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test('--help and --version end with 0', async (t) => {
  t.like(await run('--version'), { code: 0, stdout: `${version}\n` });
  const help = await run('takeover', '--help');
  t.is(help.code, 0);
  t.regex(help.stdout, /--notify-deadline <seconds>/);
});

for (const [what, args, said] of [
  ['an unknown command', ['takover', '10.10.1.1'], /unknown command 'takover'.*takeover/s],
  [
    'an unknown option',
    ['notify', '10.10.1.1', '-n'],
    /^nlm-failover: unknown option '-n'\n+ {2}nlm-failover notify --help has its options\.\n$/,
  ],
  ['help of no command', ['help', 'nothing'], /^nlm-failover: unknown command 'nothing'\n/],
  ['no address', ['release'], /missing required argument 'address'/],
  ['an unknown order', ['takeover', '10.10.1.1', '--order', 'mine'], /Allowed choices are safe, published/],
  ['a deadline that is no number', ['notify', '10.10.1.1', '--notify-deadline', '-1'], /number of seconds/],
] as const) {
  test(`usage: ${what} ends with 2`, async (t) => {
    const { code, stderr } = await run(...args);
    t.is(code, 2);
    t.regex(stderr, said);
  });
}

test('configuration: a missing file ends with 3 and says which', async (t) => {
  const file = path.join(directory, 'absent.toml');
  const { code, stderr } = await run('status', '--config', file);
  t.is(code, 3);
  t.true(stderr.includes(file));
});

test('configuration: all errors at once, with --json as JSON too', async (t) => {
  const file = path.join(directory, 'bad.toml');
  writeFileSync(file, '[lock_manager]\ndriver = "magic"\nnfsdd = "/x"\n');
  const { code, stdout, stderr } = await run('status', '--json', '--config', file);
  t.is(code, 3);
  t.regex(stderr, /lock_manager\.driver/);
  t.regex(stderr, /nfsdd.*nfsd/);
  const last = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as {
    result: string;
    error: { code: string };
  };
  t.is(last.result, 'failed');
  t.is(last.error.code, 'CONFIG_INVALID');
});

test('an address that is not configured ends with 2 and names those that are', async (t) => {
  const file = path.join(directory, 'good.toml');
  writeFileSync(
    file,
    `[state]
directory = "/shared_storage"
[[floating_ip]]
address = "10.10.1.1/24"
interface = "eth0"
  [[floating_ip.filesystem]]
  fsid = 1234
  device = "/dev/vg0/vol1"
  mountpoint = "/srv/vol1"
  type = "ext4"
    [[floating_ip.filesystem.export]]
    clients = "*"
`,
  );
  const { code, stderr } = await run('takeover', '10.10.1.9', '--dry-run', '--config', file);
  t.is(code, 2);
  t.regex(stderr, /10\.10\.1\.9.*10\.10\.1\.1/s);
});
