import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf, exitCodes, FailoverError } from '../errors.js';
import type { Argv, CommandResult, Host } from './host.js';

const defaultTimeoutMs = 60_000;

/** The machine this process runs on. */
export const realHost: Host = {
  kind: 'real',
  path: (absolute) => absolute,
  run,
  readText: readTextIfThere,
  writeKernel,
  now: () => Date.now(),
  delay: (ms, signal) => delay(ms, undefined, signal === undefined ? undefined : { signal }),
};

async function run(argv: Argv, options: { readonly timeoutMs?: number } = {}): Promise<CommandResult> {
  // execa costs 45 ms to load, so only commands that run something pay for it.
  const { execa } = await import('execa');
  const timeout = options.timeoutMs ?? defaultTimeoutMs;
  const [file, ...args] = argv;
  const result = await execa(file, args, {
    reject: false,
    stdin: 'ignore',
    timeout,
    env: { LC_ALL: 'C', PATH: searchPath(process.env['PATH']) },
    stripFinalNewline: false,
    // In a process group of its own: Ctrl-C at a terminal must not cut a mount or an umount in two.
    detached: true,
    // Ours to stop between effects (see failover/runner): a command is not cut short by our own end.
    cleanup: false,
  });
  if (result.timedOut) {
    throw new FailoverError(`"${argv.join(' ')}" did not end within ${timeout / 1000} s`, {
      code: 'COMMAND_TIMEOUT',
      exitCode: exitCodes.stepFailed,
      operation: argv.join(' '),
      hint: 'Look at what the command waits for (a hung device, an unreachable server), then run the same nlm-failover command again.',
    });
  }
  if (result.exitCode === undefined) {
    throw new FailoverError(`"${file}" could not be run: ${result.shortMessage}`, {
      code: 'COMMAND_MISSING',
      exitCode: exitCodes.stepFailed,
      operation: argv.join(' '),
      hint: `Install the package that brings ${file}, and see that it is on PATH.`,
      cause: result,
    });
  }
  return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
}

/** Cluster managers call with a short PATH; ip, mount and exportfs live in the sbin directories. */
export function searchPath(inherited: string | undefined): string {
  const directories = (inherited ?? '').split(':').filter((directory) => directory !== '');
  for (const system of ['/usr/sbin', '/usr/bin', '/sbin', '/bin']) {
    if (!directories.includes(system)) directories.push(system);
  }
  return directories.join(':');
}

/** See Host.readText. */
export function readTextIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/**
 * See Host.writeKernel. O_APPEND, as `echo 1234 >> FILE`: the kernel's files do not look at the
 * position, and where a plain file stands for one of them every write stays visible.
 */
export function writeKernel(file: string, text: string): void {
  const bytes = Buffer.from(text);
  const descriptor = openSync(file, constants.O_WRONLY | constants.O_APPEND);
  try {
    const written = writeSync(descriptor, bytes);
    if (written !== bytes.length) {
      throw new Error(`${file} took ${written} of ${bytes.length} bytes`);
    }
  } finally {
    closeSync(descriptor);
  }
}
