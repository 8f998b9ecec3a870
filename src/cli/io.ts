/** Where a command writes. Injected, so that tests read what a person would see. */
export interface Io {
  /** Answers: steps, tables, JSON. */
  out(text: string): void;
  /** Logs, errors, and the live line at a terminal. */
  err(text: string): void;
  /** Whether a person watches standard output. */
  readonly isTerminal: boolean;
}

export const processIo: Io = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  isTerminal: process.stdout.isTTY,
};
