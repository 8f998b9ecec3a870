import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { makeRehearsal } from '../helpers/rehearsal-site.js';

const script = path.join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.js');
const site = makeRehearsal({ address: '10.10.1.1', rpcbindPort: 111 });
test.after.always(() => site.remove());

// nsenter needs root and an instance; this one says how it was called and becomes the command.
const bin = path.join(site.directory, 'bin');
mkdirSync(bin);
writeFileSync(
  path.join(bin, 'nsenter'),
  '#!/bin/sh\nwhile [ "$1" != -- ]; do echo "$1" >&2; shift; done\nshift\nexec "$@"\n',
  { mode: 0o755 },
);
mkdirSync(path.join(site.a.root, 'run', 'netns'), { recursive: true });
writeFileSync(path.join(site.a.root, 'run', 'netns', 'nfs-10.10.1.1'), '');

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function start(node: typeof site.a, args: readonly string[]) {
  return spawn(process.execPath, [script, ...args], {
    env: {
      ...process.env,
      NLM_FAILOVER_REHEARSAL: node.root,
      NLM_FAILOVER_CONFIG: node.config,
      PATH: `${bin}:${process.env['PATH']}`,
    },
  });
}

async function run(args: readonly string[], { node = site.a, input = '' } = {}): Promise<Ended> {
  const child = start(node, args);
  child.stdin.end(input);
  const closed = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await closed) as [number];
  return { code, stdout, stderr };
}

test('in the namespaces of the instance, with standard input, output and error', async (t) => {
  const { code, stdout, stderr } = await run(['exec', '10.10.1.1', '--', 'cat'], { input: 'in\n' });
  t.is(code, 0);
  t.is(stdout, 'in\n');
  t.is(stderr.split('\n')[0], '--net=/run/netns/nfs-10.10.1.1');
});

for (const before of [['10.10.1.1/24'], ['10.10.1.1', '--log-level', 'info'], ['--json', '10.10.1.1']]) {
  test(`what stands after -- is left alone: ${before.join(' ')}`, async (t) => {
    const args = ['-v', '--config', 'a b', '--help', '--version', '--json', '--', '$HOME', ''];
    const { code, stdout } = await run(['exec', ...before, '--', 'printf', '<%s>', ...args]);
    t.is(code, 0);
    t.is(stdout, args.map((arg) => `<${arg}>`).join(''));
  });
}

test('the exit status is that of the command', async (t) => {
  t.is((await run(['exec', '10.10.1.1', '--', 'sh', '-c', 'exit 42'])).code, 42);
  t.is((await run(['exec', '10.10.1.1', '--', 'sh', '-c', 'kill -KILL $$'])).code, 137);
});

test('SIGTERM reaches the command, and its end decides', async (t) => {
  const child = start(site.a, [
    'exec',
    '10.10.1.1',
    '--',
    'sh',
    '-c',
    "trap 'kill $!; exit 7' TERM; sleep 600 & echo up; wait",
  ]);
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  child.kill('SIGTERM');
  t.deepEqual(await closed, [7, null]);
});

test('without an instance it ends with 1 and says where to look', async (t) => {
  const { code, stderr } = await run(['exec', '10.10.1.1', '--', 'true'], { node: site.b });
  t.is(code, 1);
  t.regex(stderr, /^nlm-failover: There is no instance of 10\.10\.1\.1 on B\n {2}.*status 10\.10\.1\.1.*\n$/);
});

test('without a command, or with an address that is not configured, it ends with 2', async (t) => {
  const none = await run(['exec', '10.10.1.1']);
  t.is(none.code, 2);
  t.regex(none.stderr, /missing required argument 'command'/);
  t.is((await run(['exec', '10.10.1.2', '--', 'true'])).code, 2);
});
