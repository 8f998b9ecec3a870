import { errnoOf, exitCodes, messageOf } from '../errors.js';
import { printableText } from './text/printable.js';

/** Where a command writes. Injected, so that tests read what a person would see. */
export interface Io {
  /** Answers: steps, tables, JSON. */
  out(text: string): void;
  /** Logs, errors, and the live line at a terminal. */
  err(text: string): void;
  /** At a terminal: forgets what was written since the last newline. */
  clearLine(): void;
  /** Whether a person watches standard output. */
  readonly isTerminal: boolean;
}

const streams = {
  'standard output': process.stdout,
  'standard error': process.stderr,
};

/** The first failure of each stream, but for EPIPE. */
const failures = new Map<keyof typeof streams, unknown>();

/**
 * A full log disk stops no failover. A reader that has seen enough (`| head`) is no error at all; what was asked for is done in
 * either case.
 */
function note(name: keyof typeof streams, error: unknown): void {
  if (errnoOf(error) !== 'EPIPE' && !failures.has(name)) failures.set(name, error);
}

for (const name of ['standard output', 'standard error'] as const)
  streams[name].on('error', (error) => note(name, error));

function write(name: keyof typeof streams, text: string): void {
  try {
    streams[name].write(text);
  } catch (error) {
    note(name, error);
  }
}

/**
 * To be called at the end, with the exit code of the operation. Where something could not be written it says so on standard error,
 * if that can be written to. Returns the exit code: 1 where all else was well.
 */
export async function endOfOutput(exitCode: number): Promise<number> {
  // Node reports a write that failed in a later turn.
  await new Promise(setImmediate);
  if (failures.size === 0) return exitCode;
  const which = [...failures].map(([name, error]) => `${name} could not be written (${messageOf(error)})`);
  write(
    'standard error',
    `nlm-failover: ${which.join(', ')}: some of what this command had to say is missing. It went on all the same; "nlm-failover status" shows how it is\n`,
  );
  return exitCode === exitCodes.done ? exitCodes.stepFailed : exitCode;
}

/** The one way out, so that no command can forget that what it prints may be hostile. */
export const processIo: Io = {
  out: (text) => write('standard output', printableText(text)),
  err: (text) => write('standard error', printableText(text)),
  clearLine: () => write('standard output', '\r\u001B[2K'),
  isTerminal: process.stdout.isTTY,
};
