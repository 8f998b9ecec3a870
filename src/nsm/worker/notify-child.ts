import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { exitCodes, FailoverError, messageOf } from '../../errors.js';
import { notify, type NotifyOptions, type NotifyResult } from '../notify/notifier.js';
import { readMessage, workerCommand, type WorkerJob, type WorkerResult } from './worker-messages.js';

/** What can be notified to another process. */
export type ThroughOptions = Omit<NotifyOptions, 'deadline' | 'pace' | 'resolve'>;

/** From the end of a process that was asked to end until it is killed, and beyond its deadline, ms. */
const patienceMs = 15_000;
/** And for each client, as the list is read and the answer written: a million take some seconds, and on a busy machine many. */
const patiencePerClientMs = 0.1;
/** Between two questions whether it is to go on, ms. */
const confirmMs = 100;
/** As much of the end of its standard error as an error message quotes, in characters. */
const quotedMax = 2_000;

/**
 * `notify` in a process of its own behind `prefix`, an argument vector such as
 * `['nsenter', '--net=/run/netns/nfs-10.10.1.1', '--']`: a Node process has threads, so it cannot enter
 * another network namespace itself (setns(2) moves one thread).
 *
 * Same options, callbacks, result and errors of callbacks as `notify`. The process gets SIGTERM when
 * `signal` is aborted, and then reports what it has done, or when a callback throws; it stops by itself
 * when this process ends, however that happens. Nothing is sent any more once the promise has settled.
 * Throws FailoverError NSM_WORKER where the process ends without a result, or says what it should not.
 *
 * @param script the program that has the command notify-worker
 */
export async function notifyThrough(
  prefix: readonly string[],
  options: ThroughOptions,
  script: string = process.argv[1] ?? '',
): Promise<NotifyResult> {
  const [file, ...args] = [...prefix, process.execPath, script, workerCommand];
  const child = spawn(file, args, {
    env: { ...process.env, LC_ALL: 'C' },
    // In a process group of its own: Ctrl-C at a terminal reaches it through `signal`, once and in order.
    detached: true,
  });
  return new NotifyChild(child, [file, ...args].join(' '), options).result;
}

/** Sends SM_NOTIFY from where `prefix` leads; from this process itself where it is empty. */
export async function notifyFrom(prefix: readonly string[], options: ThroughOptions): Promise<NotifyResult> {
  return prefix.length === 0 ? notify(options) : notifyThrough(prefix, options);
}

/** One worker process, from its job to its end. */
class NotifyChild {
  readonly result: Promise<NotifyResult>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #command: string;
  readonly #options: ThroughOptions;
  #atWork = false;
  readonly #notified: string[] = [];
  #answer: NotifyResult | undefined;
  #failure: { readonly error: unknown } | undefined;
  #stderr = '';
  #killing: NodeJS.Timeout;
  #confirming: NodeJS.Timeout | undefined;

  constructor(child: ChildProcessWithoutNullStreams, command: string, options: ThroughOptions) {
    this.#child = child;
    this.#command = command;
    this.#options = options;
    this.#killing = setTimeout(this.#kill, options.deadlineMs + this.#patienceMs);
    createInterface({ input: child.stdout }).on('line', this.#received);
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-quotedMax);
    });
    // The worker ended before it read its job; its end says why.
    child.stdin.on('error', () => undefined);
    options.signal?.addEventListener('abort', this.#interrupt);
    if (options.signal?.aborted === true) this.#interrupt();
    this.result = this.#ended().finally(() => {
      clearTimeout(this.#killing);
      clearInterval(this.#confirming);
      options.signal?.removeEventListener('abort', this.#interrupt);
    });
  }

  get #patienceMs(): number {
    return patienceMs + this.#options.clients.length * patiencePerClientMs;
  }

  #ended(): Promise<NotifyResult> {
    return new Promise((resolve, reject) => {
      this.#child.once('error', (error) => {
        reject(this.#error(`could not be started: ${messageOf(error)}`, error));
      });
      // After the last line of its output, unlike 'exit'.
      this.#child.once('close', (code, signal) => {
        if (this.#failure !== undefined) reject(this.#failure.error);
        else if (this.#answer !== undefined) resolve(this.#answer);
        else
          reject(
            this.#error(
              `ended ${signal === null ? `with exit code ${code}` : `by ${signal}`} without a result`,
            ),
          );
      });
    });
  }

  readonly #received = (line: string): void => {
    if (this.#failure !== undefined || this.#answer !== undefined) return;
    const message = readMessage(line);
    if (message === undefined) {
      this.#fail(this.#error(`said what is no answer: ${JSON.stringify(line.slice(0, 200))}`));
      return;
    }
    try {
      if ('ready' in message) this.#giveJob();
      else if ('notified' in message) this.#gather(message.notified);
      else if ('progress' in message) this.#options.onProgress?.(message.progress);
      else this.#finish(message.result);
    } catch (error) {
      this.#fail(error);
    }
  };

  #giveJob(): void {
    this.#confirm();
    if (this.#failure !== undefined) return;
    this.#confirming = setInterval(this.#confirm, confirmMs);
    this.#atWork = true;
    this.#child.stdin.write(`${JSON.stringify(jobOf(this.#options))}\n`);
  }

  readonly #confirm = (): void => {
    try {
      if (this.#failure === undefined && this.#answer === undefined) this.#options.confirm?.();
    } catch (error) {
      this.#fail(error);
    }
  };

  #gather(notified: string[]): void {
    for (const client of notified) this.#notified.push(client);
    this.#options.onNotified?.(notified);
  }

  #finish({ notNotified, ...result }: WorkerResult): void {
    this.#answer = {
      ...result,
      notified: this.#notified,
      notNotified: notNotified.flatMap(({ reason, clients }) =>
        clients.map((client) => ({ client, reason })),
      ),
    };
    this.#endSoon();
  }

  #fail(error: unknown): void {
    this.#failure = { error };
    this.#child.kill('SIGTERM');
    this.#endSoon();
  }

  readonly #interrupt = (): void => {
    if (!this.#atWork) this.#answer ??= nobodyNotified(this.#options);
    this.#child.kill('SIGTERM');
    this.#endSoon();
  };

  /**
   * Gives it a bounded time to end in. The end of its input interrupts it as the signal does, and reaches it
   * also behind a prefix that stays its parent.
   */
  #endSoon(): void {
    this.#child.stdin.end();
    clearTimeout(this.#killing);
    this.#killing = setTimeout(this.#kill, this.#patienceMs);
  }

  readonly #kill = (): void => {
    if (this.#answer === undefined) this.#failure ??= { error: this.#error('did not end in time') };
    this.#child.kill('SIGKILL');
    // Whatever a prefix left behind may keep them open.
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
  };

  #error(what: string, cause?: unknown): FailoverError {
    const said = this.#stderr.trim();
    return new FailoverError(`"${this.#command}" ${what}${said === '' ? '' : `; it said: ${said}`}`, {
      code: 'NSM_WORKER',
      exitCode: exitCodes.stepFailed,
      operation: `B-3 SM_NOTIFY from ${this.#options.source.address}`,
      hint: 'Remove the cause. Then run the same nlm-failover command again: it notifies those who were not.',
      cause,
    });
  }
}

function jobOf({
  source,
  names,
  state,
  pair,
  clients,
  seen,
  deadlineMs,
  rpcbindPort,
}: ThroughOptions): WorkerJob {
  return {
    source: { address: source.address, family: source.family },
    names: [...names],
    state,
    clients: [...clients],
    deadlineMs,
    ...(pair === undefined ? {} : { pair }),
    ...(seen === undefined ? {} : { seen }),
    ...(rpcbindPort === undefined ? {} : { rpcbindPort }),
  };
}

/** The result of a run that was interrupted before it had its job. */
function nobodyNotified({ source, clients }: ThroughOptions): NotifyResult {
  const notNotified = [...new Set(clients)].map((client) => ({ client, reason: 'interrupted' }));
  return { notified: [], notNotified, sourceUsed: source.address, privilegedPort: false };
}
