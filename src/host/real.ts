import { readFileSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf, exitCodes, FailoverError } from '../errors.js';
import { runCommand } from './running/command.js';
import type { Host } from './host.js';
import { reading } from './running/watchdog.js';

/** The machine this process runs on. */
export const realHost: Host = {
  kind: 'real',
  path: (absolute) => absolute,
  run: runCommand,
  readText: readTextIfThere,
  writeKernel: writeExisting,
  now: () => Date.now(),
  delay: (ms, signal) => delay(ms, undefined, signal === undefined ? undefined : { signal }),
};

/** See Host.readText. */
export function readTextIfThere(file: string): string | undefined {
  reading(file);
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isGone(errnoOf(error))) return undefined;
    throw error;
  }
}

/** ESRCH: a file of a process, in /proc, whose process ended after it was opened. */
function isGone(errno: string | undefined): boolean {
  return errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ESRCH';
}

/**
 * See Host.writeKernel. By a process of its own, as such a write may wait in the kernel for ever (nfsd's last thread for a
 * disk): it can then be left behind. tee(1) writes what it reads in one write(2). -a: the kernel's files do not look at the
 * position, and where a plain file stands for one of them every write stays visible. `prefix`: what to put before it.
 */
export async function writeKernel(file: string, text: string, prefix: readonly string[] = []): Promise<void> {
  const [command, ...args] = [...prefix, 'tee'];
  const result = await runCommand([command ?? 'tee', ...args, '-a', file], { input: text });
  if (result.exitCode === 0) return;
  throw new FailoverError(`"${text.trim()}" could not be written to ${file}: ${result.stderr.trim()}`, {
    code: 'COMMAND_FAILED',
    exitCode: exitCodes.stepFailed,
    operation: `writing ${file}`,
    hint: 'See "dmesg" for the reason. Then run the same command again: it goes on where this one stopped.',
  });
}

/** tee(1) would make what is not there. */
async function writeExisting(file: string, text: string): Promise<void> {
  statSync(file);
  await writeKernel(file, text);
}
