import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { makeRehearsal } from '../helpers/rehearsal-site.js';
import { lockOperation, lockSetup } from '../../src/rundir/operation-lock.js';

const address = 'fd00::1';
const holder = fileURLToPath(new URL('helpers/hold-operation-lock.js', import.meta.url));

function runDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-run-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('one operation at a time; kill -9 of the one that has the lock frees it', async (t) => {
  const run = runDirectory(t);
  const child = spawn(process.execPath, [holder, run, address], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const refused = t.throws(() => lockOperation(run, address, 'release'));
  t.like(refused, {
    code: 'OPERATION_RUNNING',
    exitCode: 1,
    message: `Another nlm-failover is working on ${address} on this node (takeover, pid ${child.pid})`,
  });
  lockOperation(run, '10.10.1.1', 'release').release(); // another address is another lock
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  const lock = lockOperation(run, address, 'release');
  t.throws(() => lockOperation(run, address, 'release'), { message: /release, pid/ });
  lock.release();
  lock.release();
  lockOperation(run, address, 'release').release();
});

test('nobody but root sees the locks', (t) => {
  const run = runDirectory(t);
  lockOperation(run, address, 'takeover').release();
  t.is(statSync(path.join(run, 'locks')).mode & 0o777, 0o700);
  t.deepEqual(readdirSync(path.join(run, 'locks')).toSorted(), [address, `${address}.holder`]);
});

test('two that set a node up at once: the second one touches nothing, and may look', async (t) => {
  const site = makeRehearsal({ address: '127.78.9.1', rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const lock = lockSetup(site.a.path('/run/nlm-failover'));
  for (const args of [['setup'], ['setup', '--undo']]) {
    const { exitCode, stderr } = await site.a.here(args);
    t.is(exitCode, 1, stderr);
    t.regex(stderr, /Another nlm-failover sets this node up \(setup, pid \d+\)/);
  }
  const looked = await site.a.here(['setup', '--dry-run']);
  t.notRegex(looked.output, /Another nlm-failover/);
  t.regex(looked.stdout, /^setup on A$/m);
  lock.release();
  t.notRegex((await site.a.here(['setup'])).output, /Another nlm-failover/);
});
