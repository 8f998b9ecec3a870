import { accessSync, constants, readFileSync } from 'node:fs';
import { constants as systemConstants } from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { execa as Execa } from 'execa';
import type { Environment } from '../../environment.js';
import { errnoOf, exitCodes, FailoverError, messageOf } from '../../errors.js';
import { currentDeadline, type Deadline } from './deadline.js';
import { type Argv, type CommandOptions, type CommandResult, commandText } from '../host.js';

/** What a command that is asked to end is given for that, and then one that is killed: a process without a disk to wait for needs less. */
const endingMs = 1_000;
/** How long after the end of a command more of its output is waited for. */
const quietMs = 200;

/**
 * Runs a command to its end, or to that of the deadline it is run under: then it is asked to end (SIGTERM) and killed
 * (SIGKILL), with all that is in its process group. One that waits in the kernel cannot be: it is left behind, and named.
 *
 * Its end is that of the process, not of its output: a daemon that it started may keep that open.
 *
 * Throws FailoverError COMMAND_MISSING or COMMAND_TIMEOUT.
 */
export async function runCommand(argv: Argv, options: CommandOptions = {}): Promise<CommandResult> {
  const deadline = currentDeadline();
  deadline.commands += 1;
  try {
    // execa takes a while to load, so only commands that run something pay for it.
    const { execa } = await import('execa');
    const { called = commandText(argv) } = options;
    deadline.refuseWhenOver(`run "${called}"`);
    const settleMs = deadline.limit.settle * 1000;
    const isShort = options.short === true && settleMs < deadline.left;
    const command = new Command(argv, start(execa, argv, options), options);
    if (await command.endsWithin(isShort ? settleMs : deadline.left))
      return await command.result(deadline, options.bytes === true ? 'latin1' : 'utf8');
    throw tooLong(called, await command.end(), deadline, isShort);
  } finally {
    deadline.commands -= 1;
  }
}

/** What became of a command that was asked to end. */
type Fate =
  | { readonly how: 'ended' | 'killed' }
  | { readonly how: 'stuck'; readonly pid: number; readonly state: string };

type Child = ReturnType<typeof start>;

/** execa's own promise is not waited for: it comes when the last one that holds the output has ended, whoever that is. */
function start(execa: typeof Execa, argv: Argv, { input, bare = false }: CommandOptions) {
  const [file, ...args] = argv;
  try {
    return execa(file, args, {
      reject: false,
      buffer: false,
      stdin: input === undefined ? 'ignore' : 'pipe',
      env: { LC_ALL: 'C', PATH: searchPath(bare ? {} : process.env) },
      ...(bare ? { extendEnv: false, cwd: '/' } : {}),
      // In a process group of its own: Ctrl-C at a terminal must not cut a mount or an umount in two, and it is ended whole.
      detached: true,
      // Ours to stop between effects (see failover/runner): a command is not cut short by our own end.
      cleanup: false,
    });
  } catch (error) {
    // What can be no argument at all, as a byte of zero.
    throw missing(argv, error);
  }
}

class Command {
  readonly #argv: Argv;
  readonly #child: Child;
  readonly #out: Buffer[] = [];
  readonly #err: Buffer[] = [];
  readonly #exited: Promise<void>;
  readonly #closed: Promise<void>;
  #exitCode: number | undefined;
  #failure: unknown;
  #lastOutput = 0;
  readonly #keep: number;
  readonly #keepsEnd: boolean;

  constructor(
    argv: Argv,
    child: Child,
    { input, keep = Number.POSITIVE_INFINITY, keepsEnd = false }: CommandOptions,
  ) {
    this.#keep = keep;
    this.#keepsEnd = keepsEnd;
    this.#argv = argv;
    this.#child = child;
    this.#exited = new Promise((resolve) => {
      // What spawn throws at once, as of an argument that is too long (E2BIG), is no event: execa's result has it.
      void this.#child.then(({ cause, exitCode, signal }) => {
        if (exitCode === undefined && signal === undefined) this.#failure ??= cause;
        return resolve();
      });
      this.#child.once('error', (error) => {
        this.#failure ??= error;
        resolve();
      });
      this.#child.once('exit', (code, signal) => {
        // As a shell has it.
        this.#exitCode = signal === null ? (code ?? 128) : 128 + systemConstants.signals[signal];
        resolve();
      });
    });
    this.#closed = new Promise((resolve) => this.#child.once('close', () => resolve()));
    this.#collect(this.#child.stdout, this.#out);
    this.#collect(this.#child.stderr, this.#err);
    // The command may end before it has read its input; its exit code says why.
    this.#child.stdin?.on('error', () => undefined).end(input);
  }

  #collect(stream: NodeJS.ReadableStream | null, into: Buffer[]): void {
    let left = this.#keep;
    stream?.on('data', (bytes: Buffer) => {
      if (this.#keepsEnd) {
        // Of a flood, which comes in large pieces, nothing is copied.
        const all = bytes.length >= this.#keep ? bytes : Buffer.concat([...into, bytes]);
        into.splice(0, into.length, all.subarray(-this.#keep));
      } else if (left <= 0) return;
      else into.push(bytes.subarray(0, left));
      left -= bytes.length;
      this.#lastOutput = performance.now();
    });
  }

  /** Whether it ends within that time. */
  async endsWithin(ms: number): Promise<boolean> {
    await settled(this.#exited, ms);
    // This process may have stood still itself, stopped or starved, while the command ended: then its end is not read yet.
    if (!this.#isOver) await nextTurn();
    return this.#isOver;
  }

  get #isOver(): boolean {
    return this.#exitCode !== undefined || this.#failure !== undefined;
  }

  async result(deadline: Deadline, encoding: 'utf8' | 'latin1'): Promise<CommandResult> {
    if (this.#exitCode === undefined) throw missing(this.#argv, this.#failure);
    // Whatever it wrote is in the pipes when it has ended: to be read until they are closed, or nothing more comes. What it has left behind
    // may write on and on.
    let before: number;
    do {
      before = this.#lastOutput;
      if (await settled(this.#closed, quietMs)) break;
      await nextTurn();
    } while (this.#lastOutput !== before && deadline.left > 0);
    this.#letGo();
    return { exitCode: this.#exitCode, stdout: text(this.#out, encoding), stderr: text(this.#err) };
  }

  /** Ends it, whether it wants or not. */
  async end(): Promise<Fate> {
    this.#signal('SIGTERM');
    const ended = await this.endsWithin(endingMs);
    // Also what it has started, where that is still of its group and has not heard.
    this.#signal('SIGKILL');
    const killed = ended || (await this.endsWithin(endingMs));
    this.#letGo();
    if (ended) return { how: 'ended' };
    const { pid = 0 } = this.#child;
    return killed ? { how: 'killed' } : { how: 'stuck', pid, state: stateOf(pid) };
  }

  /** Nothing of it keeps this process from ending. */
  #letGo(): void {
    this.#child.stdin?.destroy();
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    this.#child.unref();
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, signal);
    } catch (error) {
      if (errnoOf(error) !== 'ESRCH') throw error;
    }
  }
}

/** Whether the promise is settled within that time. */
async function settled(promise: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<false>((resolve) => (timer = setTimeout(resolve, ms, false)));
  try {
    return await Promise.race([promise.then(() => true as const), over]);
  } finally {
    clearTimeout(timer);
  }
}

function text(pieces: readonly Buffer[], encoding: 'utf8' | 'latin1' = 'utf8'): string {
  return Buffer.concat(pieces).toString(encoding);
}

/** R, S, D...: proc_pid_stat(5). The name before it may hold anything. */
function stateOf(pid: number): string {
  try {
    return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*(?=\) )/s, ''))?.[1] ?? '?';
  } catch {
    return '?';
  }
}

function missing(argv: Argv, cause: unknown): FailoverError {
  const [file] = argv;
  return new FailoverError(`"${file}" could not be run: ${messageOf(cause)}`, {
    code: 'COMMAND_MISSING',
    exitCode: exitCodes.stepFailed,
    operation: commandText(argv),
    hint: `Install the package that brings ${file}, and see that it is on PATH.`,
    cause,
  });
}

/** Whether a command could not be run because it is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof FailoverError && error.code === 'COMMAND_MISSING';
}

function tooLong(operation: string, fate: Fate, deadline: Deadline, isShort: boolean): FailoverError {
  const why = `"${operation}" did not end${isShort ? ` within ${deadline.limit.settle} s` : ''}, ${fateText(fate)}`;
  const hint = fate.how === 'stuck' ? stuckHint(fate.pid) : hungHint;
  if (!isShort) return deadline.error(why, { code: 'COMMAND_TIMEOUT', hint });
  return new FailoverError(`${deadline.limit.what}: ${why}`, {
    code: 'COMMAND_TIMEOUT',
    exitCode: exitCodes.stepFailed,
    operation,
    hint: `${hint} [timeouts].settle in the configuration sets how long to wait.`,
  });
}

function fateText(fate: Fate): string {
  switch (fate.how) {
    case 'ended':
      return 'and was ended';
    case 'killed':
      return 'ignored SIGTERM, and was killed';
    case 'stuck':
      return `and cannot be killed: it waits in the kernel (pid ${fate.pid}, state ${fate.state})`;
  }
}

const hungHint =
  'Look at what it waits for: a device, a server or a daemon that does not answer. Then run the same nlm-failover command again: it goes on where this one stopped.';

function stuckHint(pid: number): string {
  return (
    `See "cat /proc/${pid}/stack" and "dmesg". What it was to do may still happen when the device or server answers: before another node takes ` +
    'over, see that it is gone, or fence this node. Then run the same nlm-failover command again.'
  );
}

/** Whether a program can be run: found on PATH, or by its own path. */
export function isInstalled(program: string): boolean {
  return programFile(program) !== undefined;
}

/** The file of a program that can be run, as above; undefined: there is none. */
export function programFile(program: string): string | undefined {
  const files = program.startsWith('/')
    ? [program]
    : searchPath()
        .split(':')
        .map((directory) => path.join(directory, program));
  return files.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Cluster managers call with a short PATH; ip, mount and exportfs live in the sbin directories. */
export function searchPath({ PATH = '' }: Environment = process.env): string {
  const directories = PATH.split(':').filter((directory) => directory !== '');
  for (const system of ['/usr/sbin', '/usr/bin', '/sbin', '/bin']) {
    if (!directories.includes(system)) directories.push(system);
  }
  return directories.join(':');
}
