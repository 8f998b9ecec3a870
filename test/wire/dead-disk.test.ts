// A disk that stops answering, for real: what waits for it cannot be killed, and is left behind with a sentence.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { toTimeouts } from '../../src/config/timeout-words.js';
import { limitOf } from '../../src/failover/limits.js';
import { runCommand } from '../../src/host/running/command.js';
import { within } from '../../src/host/running/deadline.js';
import { freezingDiskUnavailable, withFreezingDisk } from '../helpers/freezing-disk.js';
import { stateOf } from '../helpers/process-state.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { projectRoot } from '../lab/project-root.js';
import { waitFor } from './wait-for.js';

const address = '127.77.7.1';
const missing = freezingDiskUnavailable();

function diskTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  const implementation = async (t: ExecutionContext): Promise<void> => {
    t.timeout(120_000, 'fails instead of hanging');
    await body(t);
  };
  if (missing === undefined) test.serial(title, implementation);
  else test.serial.skip(`${title} (${missing})`, implementation);
}

diskTest('a command in state D is left behind and named, and gone when the disk answers', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-disk-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const mountpoint = path.join(directory, 'disk');
  mkdirSync(mountpoint);
  const disk = await withFreezingDisk(t, path.join(directory, 'image'), mountpoint);
  await disk.freeze();
  const limit = { ...limitOf('A-4 (/srv/vol1)', { timeouts: toTimeouts({}) }), seconds: 5 };
  const error = await t.throwsAsync(
    within(limit, () => runCommand([...disk.prefix, 'touch', path.join(mountpoint, 'file')])),
  );
  t.like(error, { code: 'COMMAND_TIMEOUT', exitCode: 1 });
  const [, pid] =
    /was not done within 5 s: "nsenter .*touch .*" did not end, and cannot be killed: it waits in the kernel \(pid (\d+), state D\)$/.exec(
      error?.message ?? '',
    ) ?? [];
  t.is(stateOf(Number(pid)), 'D');
  t.regex(String((error as { hint?: string }).hint), /fence this node.*\[timeouts\]\.step/);
  await disk.thaw();
  await waitFor('the command to be gone', async () => (stateOf(Number(pid)) ?? 'Z') === 'Z');
});

function start(t: ExecutionContext, node: RehearsalNode, prefix: readonly string[], ...args: string[]) {
  const { NLM_FAILOVER_RUN: _, ...inherited } = process.env;
  const bin = path.join(projectRoot(), 'bin/nlm-failover');
  const [file = '', ...rest] = [...prefix, process.execPath, bin, ...args];
  const child = spawn(file, rest, {
    env: { ...inherited, NLM_FAILOVER_REHEARSAL: node.root, NLM_FAILOVER_CONFIG: node.config },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(child, 'close') as Promise<[number | null, string | null]>;
  t.teardown(() => void child.kill('SIGKILL'));
  return { pid: child.pid ?? 0, said: () => said, ended };
}

diskTest(
  'release with a record on it: it says so, is killed, and does nothing more when the disk answers',
  async (t) => {
    const site = makeRehearsal({ address, rpcbindPort: 1 });
    t.teardown(() => site.remove());
    const { a, directory } = site;
    const disk = await withFreezingDisk(
      t,
      path.join(directory, 'image'),
      path.join(directory, 'disks/state1'),
    );
    const taken = start(t, a, disk.prefix, 'takeover', address, '--no-wait');
    t.deepEqual(await taken.ended, [0, null], taken.said());
    const text = a.read('/etc/nlm-failover.toml');
    const timeouts = '[timeouts]\nstep = 1\nrecord = 1\n\n[lock_manager]';
    a.write('/etc/nlm-failover.toml', text.replace('[lock_manager]', timeouts));
    const files = ['/addresses.json', '/proc/self/mountinfo', '/var/lib/nfs/etab', '/proc/fs/nfsd/threads'];
    const state = () => files.map((file) => a.read(file));
    const before = state();
    await disk.freeze();
    const stuck = start(t, a, disk.prefix, 'release', address);
    await waitFor('the sentence', async () => stuck.said().includes('sets how long to wait'));
    t.regex(
      stuck.said(),
      /nlm-failover: This command for 127\.77\.7\.1: a system call has not returned for 3 s, in or after: noting the configuration \(.*sm_127\.77\.7\.1\)\n.*pid \d+.*state D.*\[timeouts\]\.step/s,
    );
    t.is(stateOf(stuck.pid), 'D', 'SIGKILL waits with it');
    await disk.thaw();
    t.deepEqual(await stuck.ended, [null, 'SIGKILL']);
    t.deepEqual(state(), before, 'it has done nothing more');
    a.write('/etc/nlm-failover.toml', text);
    const again = start(t, a, disk.prefix, 'release', address);
    t.deepEqual(await again.ended, [0, null], again.said());
    t.is(a.read('/addresses.json'), '[]');
  },
);
