import { copyFileSync, chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { projectRoot } from '../lab/project-root.js';

/**
 * callouts/ha-callout where every user can reach it, statd's among them, also when the checkout lies below a home of mode
 * 0700. A copy, which goes with this process.
 */
export const reachableCallout = copyOf(path.join(projectRoot(), 'callouts', 'ha-callout'));

function copyOf(file: string): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-callout-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755);
  const copy = path.join(directory, path.basename(file));
  copyFileSync(file, copy);
  chmodSync(copy, 0o755);
  return copy;
}
