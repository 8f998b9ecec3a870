import { AsyncLocalStorage } from 'node:async_hooks';
import type { ErrorCode } from '../../error-codes.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { begun, monotonicMs, stoppedMs } from './watchdog.js';

/** How long something may take, in seconds, and what an administrator reads when it does not end. */
export interface Limit {
  /** What must end, as the sentence begins: "A-4 (/srv/vol1)". */
  readonly what: string;
  readonly seconds: number;
  /** What changes that: "[timeouts].A-4". */
  readonly key: string;
  /** For what the kernel and daemons do in their own time within it: see TimeoutsConfig. */
  readonly settle: number;
  /** For an umount that finds the file system busy. */
  readonly busy: number;
  /** For another process to let go of the record: SQLite waits for that within one call. */
  readonly record: number;
}

/** Where nobody has set a limit: what only looks, as status does. */
const unlimited: Limit = {
  what: 'looking at this host',
  seconds: 60,
  key: '[timeouts].step',
  settle: 15,
  busy: 5,
  record: 15,
};

/** Commands end by themselves at the deadline, with a sentence of their own: before that of everything else. */
const recheckMs = 500;

/** What stands still in one call longer than anything that is bounded by itself is the watchdog's. */
const beyondSeconds = 2;

const current = new AsyncLocalStorage<Deadline>();

/**
 * The end of a step's time. On the monotonic clock: a stepped wall clock neither ends nor prolongs a wait; and without the time
 * in which this process was stopped.
 */
export class Deadline {
  readonly limit: Limit;
  /** The command or write that is being done, as --dry-run has it, for the sentence. */
  doing: string | undefined;
  /** Commands that are running, and bring their own end about. */
  commands = 0;
  #over = false;
  readonly #began = ranMs();

  constructor(limit: Limit) {
    this.limit = limit;
  }

  /** Milliseconds until it is over; 0 when it is. */
  get left(): number {
    return this.#over ? 0 : Math.max(0, this.#began + this.limit.seconds * 1000 - ranMs());
  }

  /** Throws once it is over: what was given up must not begin anything more. `next`: what would be begun. */
  refuseWhenOver(next: string): void {
    if (this.left === 0) throw this.error(`there was no time left to ${next}`);
  }

  /** From now on nothing more is begun in its name. */
  giveUp(): void {
    this.#over = true;
  }

  /** The error when the time is over. `why`: what was waited for, as a clause. */
  error(why: string, { code, hint }: Unended = unnamed): FailoverError {
    const { what, seconds, key } = this.limit;
    return new FailoverError(`${what} was not done within ${seconds} s: ${why}`, {
      code,
      exitCode: exitCodes.stepFailed,
      operation: what,
      hint: `${hint} ${key} in the configuration sets how long to wait.`,
    });
  }
}

/** Whether a deadline was over, and not the thing itself in error. */
export function isTimeout(error: unknown): boolean {
  return error instanceof FailoverError && ['STEP_TIMEOUT', 'COMMAND_TIMEOUT'].includes(error.code);
}

interface Unended {
  readonly code: ErrorCode;
  readonly hint: string;
}

const unnamed: Unended = {
  code: 'STEP_TIMEOUT',
  hint: 'Look at what it waits for. Then run the same command again: it goes on where this one stopped.',
};

/**
 * Runs `work` under a deadline. Everything that is begun in it, however deep, finds it by itself (AsyncLocalStorage): Host.run
 * ends a command with it, waitUntil a wait, and whatever else does not come back is left behind with a sentence, and may
 * not begin anything more. What blocks the whole process is the watchdog's: see there.
 *
 * Throws FailoverError STEP_TIMEOUT or COMMAND_TIMEOUT when it is over, and whatever `work` throws.
 */
export async function within<T>(limit: Limit, work: () => Promise<T>): Promise<T> {
  const deadline = new Deadline(limit);
  const done = begun(patienceOf(limit));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const look = (): void => {
      if (deadline.commands > 0 || deadline.left > 0) {
        timer = setTimeout(look, deadline.left + recheckMs);
        return;
      }
      deadline.giveUp();
      reject(deadline.error(deadline.doing ?? 'it did not say what it waits for'));
    };
    timer = setTimeout(look, limit.seconds * 1000 + recheckMs);
  });
  try {
    return await current.run(deadline, () => Promise.race([work(), late]));
  } finally {
    clearTimeout(timer);
    done();
  }
}

/** For all of a process that is in no step: when it stands still for longer, in a read or write of its own, the watchdog says so. */
export function standsStillAfter(limit: Limit): void {
  begun(patienceOf(limit));
}

function patienceOf(limit: Limit): Limit {
  return { ...limit, seconds: Math.max(limit.seconds, limit.record) + beyondSeconds };
}

/** For how long this process has been running, ms. */
function ranMs(): number {
  return monotonicMs() - stoppedMs();
}

/** The deadline that this code runs under; one that begins now where nobody has set any. */
export function currentDeadline(): Deadline {
  return current.getStore() ?? new Deadline(unlimited);
}
