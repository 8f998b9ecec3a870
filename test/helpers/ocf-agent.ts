import { spawn } from 'node:child_process';
import path from 'node:path';
import { projectRoot } from '../lab/project-root.js';

/** Those of an address. */
export const agents = ['address', 'locks', 'notify'] as const;
export const allAgents = [...agents, 'ganesha'] as const;
export type AgentName = (typeof allAgents)[number];

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What Pacemaker shows of a failed action; each line that has one. */
  readonly reasons: readonly string[];
}

export const agentFile = (name: AgentName) => path.join(projectRoot(), 'callouts/ocf', name);

/** Exit codes of an agent: resource-agents, heartbeat/ocf-returncodes. */
export const ocf = {
  success: 0,
  generic: 1,
  args: 2,
  unimplemented: 3,
  installed: 5,
  configured: 6,
  notRunning: 7,
};

/** Variables that a cluster manager would give it, and of those of this process none that it looks at. */
export function agentEnvironment(given: Readonly<Record<string, string>>): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: '/', ...given };
}

/** Runs an agent's file, by a shell where one is given, as a cluster manager does. `heard` is told what it has said on standard error so far. */
export async function runAgent(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  shell: readonly string[] = [],
  heard: (stderr: string) => void = () => undefined,
): Promise<Ran> {
  const [command = file, ...rest] = [...shell, file, ...args];
  const child = spawn(command, rest, {
    env: agentEnvironment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.stderr += text;
    heard(said.stderr);
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? 128));
  });
  const reasons = [...said.stderr.matchAll(/^ocf-exit-reason:(.*)$/gm)].map(([, reason]) => reason ?? '');
  return { code, ...said, reasons };
}
