/** What a command left behind. A non-zero exit code is an answer, not an exception. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type Argv = readonly [string, ...string[]];

/**
 * Every effect on the machine goes through here. `realHost` is the machine;
 * `rehearsalHost` keeps the same promises in a directory, for a demo without root.
 */
export interface Host {
  readonly kind: 'real' | 'rehearsal';
  /** Where this machine keeps an absolute path: itself, or below the rehearsal directory. */
  path(absolute: string): string;
  /**
   * Runs argv[0] from PATH with LC_ALL=C, no shell, standard input closed.
   * Throws FailoverError COMMAND_MISSING, or COMMAND_TIMEOUT after timeoutMs (default 60,000).
   */
  run(argv: Argv, options?: { readonly timeoutMs?: number }): Promise<CommandResult>;
  /** The text of a file, undefined where there is none (ENOENT, ENOTDIR); other errors are thrown. */
  readText(absolute: string): string | undefined;
  /**
   * One write(2) to an existing file of the kernel, as its interfaces under /proc want it:
   * nfsctl.c takes one transaction per open and answers EBUSY to a second write.
   */
  writeKernel(absolute: string, text: string): void;
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Resolves after ms, or rejects with the signal's reason. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
}
