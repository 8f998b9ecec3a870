import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { ReportLine } from '../lab/site.js';
import { projectRoot } from '../lab/project-root.js';
import type { RehearsalNode } from './rehearsal-site.js';

/** What rpc.statd runs on a node when lockd announces a client, or forgets it. */
export function addClient(
  node: RehearsalNode,
  client: string,
  event: 'add-client' | 'del-client' = 'add-client',
): void {
  execFileSync(join(projectRoot(), 'callouts', 'ha-callout'), [event, client, node.name], {
    env: { ...process.env, NLM_FAILOVER_RUN: join(node.root, 'run', 'nlm-failover') },
  });
}

/** The lines that --json printed. */
export function jsonLines(stdout: string): ReportLine[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ReportLine);
}
