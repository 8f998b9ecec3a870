/** What a command left behind. A non-zero exit code is an answer, not an exception. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type Argv = readonly [string, ...string[]];

/** An argument vector as a line that a shell would take, for people to read and paste. */
export function commandText(argv: readonly string[]): string {
  return argv
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

export interface CommandOptions {
  /** What it reads from its standard input; else that is closed. */
  readonly input?: string;
  /** The command only asks, or does its best: [timeouts].settle is enough for it. */
  readonly short?: boolean;
  /** What it prints is no text: one character a byte (latin1). */
  readonly bytes?: boolean;
  /** What messages call it; default: the command itself. */
  readonly called?: string;
  /** Its environment is LC_ALL and a PATH of the system's directories, and its directory /. */
  readonly bare?: boolean;
  /** As many bytes of each of its outputs are kept, and the rest is read away; default: all. */
  readonly keep?: number;
  /** Of these the last ones, and not the first. */
  readonly keepsEnd?: boolean;
}

/**
 * Every effect on the machine goes through here. `realHost` is the machine;
 * `rehearsalHost` keeps the same promises in a directory, for a demo without root.
 */
export interface Host {
  readonly kind: 'real' | 'rehearsal';
  /** Where this machine keeps an absolute path: itself, or below the rehearsal directory. */
  path(absolute: string): string;
  /**
   * Runs argv[0] from PATH with LC_ALL=C, no shell, at the longest until the deadline of the step it is run in (deadline.ts).
   * Throws FailoverError COMMAND_MISSING, or COMMAND_TIMEOUT.
   */
  run(argv: Argv, options?: CommandOptions): Promise<CommandResult>;
  /**
   * The text of a file, undefined where there is none (ENOENT, ENOTDIR), or no process any more that it tells of (ESRCH). Throws FailoverError
   * SYSTEM_ERROR, and waits for nobody, where it is no regular file, or has more than 64 MiB; other errors as they are.
   */
  readText(absolute: string): string | undefined;
  /**
   * One write(2) to an existing file of the kernel, as its interfaces under /proc want it:
   * nfsctl.c takes one transaction per open and answers EBUSY to a second write. Under the step's deadline, as `run`.
   */
  writeKernel(absolute: string, text: string): Promise<void>;
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Resolves after ms, or rejects with the signal's reason. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
}
