/** Where a command writes. Injected, so that tests read what a person would see. */
export interface Io {
  /** Answers: steps, tables, JSON. */
  out(text: string): void;
  /** Logs, errors, and the live line at a terminal. */
  err(text: string): void;
  /** Whether a person watches standard output. */
  readonly isTerminal: boolean;
}

/** A reader that has seen enough (`| head`) is no error; what was asked for is done all the same. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

export const processIo: Io = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isTerminal: process.stdout.isTTY,
};
