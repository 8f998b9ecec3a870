import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { stateOf } from '../helpers/process-state.js';
import { projectRoot } from '../lab/project-root.js';
import { waitFor } from '../wire/wait-for.js';
import { type Effect, type Fault, faultVariable } from './fault.js';
import type { NodeName } from './site.js';

/** How a process ended that was struck. */
export interface Struck {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stderr: string;
  readonly stdout: string;
  readonly effects: readonly Effect[];
}

/** Runs bin/nlm-failover on a rehearsed node, as a process of its own with umask 077, with a fault. */
export function runStruck(
  directory: string,
  node: NodeName,
  args: readonly string[],
  fault: Omit<Fault, 'log'>,
): Promise<Struck> {
  return startStruck(directory, node, args, fault).ended;
}

/** The same, without waiting for its end. */
export function startStruck(
  directory: string,
  node: NodeName,
  args: readonly string[],
  fault: Omit<Fault, 'log'>,
): { readonly pid: number; readonly ended: Promise<Struck> } {
  const root = path.join(directory, node);
  const log = path.join(directory, `effects-${node}`);
  rmSync(log, { force: true });
  const { NLM_FAILOVER_RUN: _, ...inherited } = process.env;
  const bin = path.join(projectRoot(), 'bin', 'nlm-failover');
  const preload = path.join(projectRoot(), 'build/test/fault/preload.js');
  const child = spawn('sh', ['-c', 'umask 077; exec "$@"', 'sh', process.execPath, bin, ...args, '--json'], {
    env: {
      ...inherited,
      NLM_FAILOVER_REHEARSAL: root,
      NLM_FAILOVER_CONFIG: path.join(root, 'etc/nlm-failover.toml'),
      NODE_OPTIONS: `--import=${preload}`,
      [faultVariable]: JSON.stringify({ ...fault, log } satisfies Fault),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { pid: child.pid ?? 0, ended: watch(child, log) };
}

async function watch(child: ChildProcessByStdio<null, Readable, Readable>, log: string): Promise<Struck> {
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const [exitCode, signal] = (await once(child, 'close')) as [number | null, string | null];
  const effects = existsSync(log)
    ? readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Effect)
    : [];
  return { exitCode, signal, stdout, stderr, effects };
}

/** Runs it, stopped (SIGSTOP) after an effect while `meanwhile` goes on, and lets it go on to its end. */
export async function runStopped(
  directory: string,
  node: NodeName,
  args: readonly string[],
  strike: number,
  meanwhile: () => Promise<void>,
): Promise<Struck> {
  const marker = path.join(directory, 'stopped');
  const { pid, ended } = startStruck(directory, node, args, { how: 'stop', side: 'after', strike, marker });
  let isOver = false;
  void ended.then(() => (isOver = true));
  try {
    // The marker is written a moment before, and a SIGCONT that comes first would be lost.
    await waitFor('the stop', async () => isOver || stateOf(pid) === 'T');
    await meanwhile();
    process.kill(pid, 'SIGCONT');
    return await ended;
  } finally {
    if (!isOver) process.kill(pid, 'SIGKILL');
    await ended;
  }
}
