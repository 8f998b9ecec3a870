import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
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

/** More than a file of this system that is no record ever has; what is larger is not read, bytes. */
const mostBytes = 64 * 1024 ** 2;

/** See Host.readText. */
export function readTextIfThere(file: string): string | undefined {
  reading(file);
  try {
    return textOf(file);
  } catch (error) {
    if (isGone(errnoOf(error))) return undefined;
    throw error;
  }
}

function textOf(file: string): string {
  const fd = openNow(file);
  try {
    const stats = fstatSync(fd);
    // Those of the kernel, below /proc and /sys, are regular too, and have no size.
    if (!stats.isFile()) throw unreadable(file, 'is not a regular file');
    if (stats.size > mostBytes)
      throw unreadable(file, `has ${Math.floor(stats.size / 1024 ** 2)} MB, more than is ever read of it`);
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

/** A fifo is opened at once, without anybody at its other end. */
function openNow(file: string): number {
  const { O_RDONLY, O_NONBLOCK } = constants;
  try {
    return openSync(file, O_RDONLY | O_NONBLOCK);
  } catch (error) {
    // A socket, or a device that is not there; and a lease, whose end only a regular file has to be waited for (fcntl(2)).
    if (errnoOf(error) === 'ENXIO') throw unreadable(file, 'is not a regular file');
    if (errnoOf(error) !== 'EAGAIN' || !statSync(file).isFile()) throw error;
    return openSync(file, O_RDONLY);
  }
}

function unreadable(file: string, why: string): FailoverError {
  return new FailoverError(`${file} ${why}`, {
    code: 'SYSTEM_ERROR',
    exitCode: exitCodes.stepFailed,
    operation: `reading ${file}`,
    hint: 'Find out who made it, and put back what belongs there. Then run the same command again.',
  });
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
