import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import type { RehearsalNode } from '../../helpers/rehearsal-site.js';
import { projectRoot } from '../../lab/project-root.js';

export const runOf = ({ root }: RehearsalNode) => path.join(root, 'run/nlm-failover');

/** Runs an event script, as ctdb-eventd does. */
export function event(
  node: RehearsalNode,
  number: '06' | '62',
  ...words: string[]
): Promise<{ code: number; output: string }> {
  return callout(node, `${number}.nlm-failover.script`, words);
}

/** Runs a program of callouts/ctdb for a rehearsed node. */
export function callout(
  node: RehearsalNode,
  name: string,
  words: readonly string[],
  input = '',
  others: Readonly<Record<string, string>> = {},
): Promise<{ code: number; output: string }> {
  const script = path.join(projectRoot(), 'callouts/ctdb', name);
  const { NLM_FAILOVER_RUN: _, ...inherited } = process.env;
  const env = {
    ...inherited,
    ...others,
    NLM_FAILOVER_REHEARSAL: node.root,
    NLM_FAILOVER_CONFIG: node.config,
  };
  return new Promise((resolve) => {
    const child = execFile(script, words, { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output: stdout + stderr }),
    );
    // It may have ended, and have read nothing.
    child.stdin?.on('error', () => undefined).end(input);
  });
}

export function pidOf(node: RehearsalNode): number | undefined {
  const holder = path.join(runOf(node), 'locks/ctdb.holder');
  if (!existsSync(holder)) return undefined;
  const [, pid] = /pid (\d+)/.exec(readFileSync(holder, 'utf8')) ?? [];
  return pid === undefined ? undefined : Number(pid);
}

/** Ends the process that an event has started, also where it is the second one. */
export function endAfter(t: ExecutionContext, node: RehearsalNode): void {
  t.teardown(async () => {
    const pid = pidOf(node);
    if (pid === undefined || !isServe(pid)) return;
    process.kill(pid, 'SIGTERM');
    await until(() => !isServe(pid));
  });
}

export function isServe(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('\0serve\0');
  } catch {
    return false;
  }
}

/** Looks again and again, without a limit but the test's own. */
export async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 50));
}
