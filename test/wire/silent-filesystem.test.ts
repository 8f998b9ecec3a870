// Commands that only look, on a file system that does not answer: they say so and end, although no thread watches them from the
// beginning.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { silentFilesystemUnavailable, withSilentFilesystem } from '../helpers/silent-filesystem.js';
import { projectRoot } from '../lab/project-root.js';

const address = '127.77.10.1';
const missing = silentFilesystemUnavailable();

function silentTest(title: string, body: (t: ExecutionContext) => Promise<void>): void {
  const implementation = async (t: ExecutionContext): Promise<void> => {
    t.timeout(120_000, 'fails instead of hanging');
    await body(t);
  };
  if (missing === undefined) test(title, implementation);
  else test.skip(`${title} (${missing})`, implementation);
}

/** Runs a command that is to be killed; what it said. */
async function killed(
  t: ExecutionContext,
  node: RehearsalNode,
  prefix: readonly string[],
  command: string,
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const { NLM_FAILOVER_RUN: _, ...inherited } = process.env;
  const [file, ...args] = [...prefix, process.execPath, path.join(projectRoot(), 'bin/nlm-failover')];
  const child = spawn(file, [...args, command], {
    env: { ...inherited, NLM_FAILOVER_REHEARSAL: node.root, NLM_FAILOVER_CONFIG: node.config, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => void child.kill('SIGKILL'));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  t.deepEqual(await once(child, 'close'), [null, 'SIGKILL'], said);
  return said;
}

function impatient(node: RehearsalNode): void {
  const text = node.read('/etc/nlm-failover.toml');
  const timeouts = '[timeouts]\nstep = 1\nrecord = 1\n\n[lock_manager]';
  node.write('/etc/nlm-failover.toml', text.replace('[lock_manager]', timeouts));
}

for (const command of ['status', 'clients']) {
  silentTest(`${command}: the shared storage does not answer`, async (t) => {
    const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/shared' });
    t.teardown(() => site.remove());
    impatient(site.a);
    site.a.link('/shared', path.join(site.directory, 'disks/vol1'));
    const prefix = await withSilentFilesystem(t, path.join(site.directory, 'disks/vol1'));
    t.regex(
      await killed(t, site.a, prefix, command),
      /: a system call has not returned for 3 s, in or after: reading \S+\/shared\n.*\[timeouts\]\.step/,
    );
  });

  silentTest(`${command}: the volume with the record does not answer`, async (t) => {
    const site = makeRehearsal({ address, rpcbindPort: 1 });
    t.teardown(() => site.remove());
    t.is((await site.a.tool(['takeover', address, '--no-wait'])).exitCode, 0);
    impatient(site.a);
    const prefix = await withSilentFilesystem(t, path.join(site.directory, 'disks/state1'));
    t.regex(await killed(t, site.a, prefix, command), /: a system call has not returned for 3 s, /);
  });
}

// On this machine itself, where all that is read before is in the kernel's memory or has answered.
silentTest(
  'status: the record is out of reach, and the journal that is written to does not answer',
  async (t) => {
    const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/nonexistent' });
    t.teardown(() => site.remove());
    impatient(site.a);
    const run = site.a.path('/run/nlm-failover');
    mkdirSync(path.join(run, 'serving'), { recursive: true });
    symlinkSync(path.join(site.directory, 'disks/vol1/journal.A'), path.join(run, 'serving', address));
    const prefix = await withSilentFilesystem(t, path.join(site.directory, 'disks/vol1'));
    t.regex(
      await killed(t, site.a, prefix, 'status', { NLM_FAILOVER_REHEARSAL: '', NLM_FAILOVER_RUN: run }),
      /: a system call has not returned for 3 s, in or after: looking at \S+\/vol1\/journal\.A\n/,
    );
  },
);

for (const command of ['status', 'clients']) {
  silentTest(`${command}: what says how the node exports does not answer`, async (t) => {
    const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/shared' });
    t.teardown(() => site.remove());
    impatient(site.a);
    const prefix = await withSilentFilesystem(t, site.a.path('/var/lib/nfs'));
    t.regex(
      await killed(t, site.a, prefix, command),
      /: a system call has not returned for 3 s, in or after: reading \S+\/var\/lib\/nfs\/etab\n/,
    );
  });
}
