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

/** A reader that has seen enough (`| head`) is no error; what was asked for is done all the same. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

/** The one way out, so that no command can forget that what it prints may be hostile. */
export const processIo: Io = {
  out: (text) => process.stdout.write(printableText(text)),
  err: (text) => process.stderr.write(printableText(text)),
  clearLine: () => process.stdout.write('\r\u001B[2K'),
  isTerminal: process.stdout.isTTY,
};
