import { exitCodes, FailoverError } from '../errors.js';
import type { Host } from '../host/host.js';

/**
 * What a command looks at is root's: records, other processes, the kernel's files. Half of it would be taken for all of it. Throws
 * FailoverError NOT_ROOT (exit code 2). A rehearsal is anybody's.
 */
export function requireRoot(host: Host): void {
  const user = process.geteuid?.();
  if (host.kind === 'rehearsal' || user === 0) return;
  throw new FailoverError(`This command needs root, and runs as uid ${user}`, {
    code: 'NOT_ROOT',
    exitCode: exitCodes.usage,
    operation: 'beginning',
    hint: 'Run it as root: nothing was touched.',
  });
}
