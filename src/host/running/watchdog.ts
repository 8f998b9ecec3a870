import { Worker } from 'node:worker_threads';
import type { ErrorCode } from '../../error-codes.js';
import { exitCodes } from '../../errors.js';

/** What the watchdog says of whatever stands still: a part of Limit. */
interface Watched {
  readonly what: string;
  readonly seconds: number;
  readonly key: string;
}

/** Places of the shared memory: a counter that shows life, seconds of patience, and the length of each text. */
const cells = { beat: 0, patience: 1, limit: 2, doing: 3 } as const;
/** Then two of the clock, ms: when the thread has looked last, and for how long in all neither it nor this process ran. */
const clocks = { looked: 0, stopped: 1 } as const;
const clockBytes = 16;
const headBytes = 16 + clockBytes;
const lookMs = 500;
/** A look that is later than this was not late but stopped. */
const stoppedAfterMs = 2_000;
const textBytes = 2048;
const beatMs = 250;
/** Where no limit is set: to read the configuration, and after a step has failed. */
const firstPatience = 60;

/**
 * A thread that cannot be blocked by what blocks this process: a read or write that does not return, because its disk or server
 * does not answer. Reads and writes of files, and SQLite, have no timeout, and Node none to give them. When this process
 * has not turned for the patience of the step it is in, the thread says so and kills it, so that whenever the call does return
 * nothing more is done after all.
 *
 * It counts the time in which it ran itself: a process that was stopped, or a virtual machine that was frozen, has not waited.
 */
class Watchdog {
  readonly #memory = new SharedArrayBuffer(headBytes + 2 * textBytes);
  readonly #cells = new Int32Array(this.#memory, 0, 4);
  readonly #clocks = new Float64Array(this.#memory, 16, clockBytes / 8);
  readonly #json: boolean;
  readonly #printable: (text: string) => string;
  readonly #limits: Watched[] = [];

  constructor(json: boolean, printable: (text: string) => string) {
    this.#json = json;
    this.#printable = printable;
    this.#clocks[clocks.looked] = monotonicMs();
    this.#apply();
  }

  start(): void {
    const worker = new Worker(threadSource, {
      eval: true,
      workerData: {
        memory: this.#memory,
        json: this.#json,
        cells,
        clocks,
        headBytes,
        textBytes,
        lookMs,
        stoppedAfterMs,
      },
      env: {},
      execArgv: [],
    });
    worker.unref();
    setInterval(this.beat, beatMs).unref();
  }

  readonly beat = (): void => void Atomics.add(this.#cells, cells.beat, 1);

  /** See stoppedMs. The thread may not have run yet since this process has been going on. */
  get stoppedMs(): number {
    const late = monotonicMs() - (this.#clocks[clocks.looked] ?? 0);
    return (this.#clocks[clocks.stopped] ?? 0) + (late > stoppedAfterMs ? late : 0);
  }

  /** From now on this is what stands still, if it does. Returns the end of it. */
  begun(limit: Watched): () => void {
    this.#limits.push(limit);
    this.#apply();
    return () => {
      this.#limits.splice(this.#limits.lastIndexOf(limit), 1);
      this.#apply();
    };
  }

  #apply(): void {
    const { what, seconds, key } = this.#limits.at(-1) ?? {
      what: 'This command',
      seconds: firstPatience,
      key: '',
    };
    this.#write(cells.limit, headBytes, [this.#printable(what).slice(0, 1000), seconds, key].join('\n'));
    Atomics.store(this.#cells, cells.patience, seconds);
    this.beat();
  }

  doing(what: string): void {
    this.#write(cells.doing, headBytes + textBytes, this.#printable(what));
    this.beat();
  }

  #write(length: number, offset: number, text: string): void {
    const bytes = Buffer.from(text).subarray(0, textBytes);
    bytes.copy(Buffer.from(this.#memory, offset, textBytes));
    Atomics.store(this.#cells, length, bytes.length);
  }
}

let watchdog: Watchdog | undefined;

/** Once, at the beginning of a process. `json`: also a last line on standard output, as every failure of --json has it. `printable`: makes a name harmless for a terminal. */
export function startWatchdog(json: boolean, printable: (text: string) => string): void {
  if (watchdog !== undefined) return;
  watchdog = new Watchdog(json, printable);
  watchdog.start();
}

/** The same clock in both threads, unlike performance.now(). */
function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * For how long this process has been stopped since it began (SIGSTOP, a frozen machine), ms: time in which it has not waited
 * for anything, so that it goes on where it was, and learns at its next step whose the address is now.
 */
export function stoppedMs(): number {
  return watchdog?.stoppedMs ?? 0;
}

/** What is being done, and for how long this process may stand still in it. Returns the end of it. */
export function begun(limit: Watched): () => void {
  return watchdog?.begun(limit) ?? ((): void => undefined);
}

/** Right before a call that may block: what, for the sentence. "reading /var/lib/nfs/etab". */
export function doing(what: string): void {
  watchdog?.doing(what);
}

const stuck: ErrorCode = 'STUCK';

/**
 * The thread's program, as text, so that the bundle stays one file. It uses nothing of this process but the shared memory and
 * its descriptors, written to with write(2), as Node's streams belong to the thread that stands still.
 */
const threadSource = `
'use strict';
const { workerData: { memory, json, cells, clocks, headBytes, textBytes, lookMs, stoppedAfterMs } } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const head = new Int32Array(memory, 0, 4);
const clock = new Float64Array(memory, 16, 2);
const monotonicMs = () => Number(process.hrtime.bigint()) / 1e6;
const text = (length, offset) =>
  Buffer.from(Buffer.from(memory, offset, textBytes).subarray(0, Atomics.load(head, length))).toString();
const nobody = new Int32Array(new SharedArrayBuffer(4));
let beat = -1;
let stillMs = 0;
for (;;) {
  Atomics.wait(nobody, 0, 0, lookMs);
  const looked = monotonicMs();
  const late = looked - clock[clocks.looked];
  if (late > stoppedAfterMs) clock[clocks.stopped] += late;
  clock[clocks.looked] = looked;
  const now = Atomics.load(head, cells.beat);
  stillMs = now === beat ? stillMs + lookMs : 0;
  beat = now;
  if (stillMs < Atomics.load(head, cells.patience) * 1000) continue;
  const [what, seconds, key] = text(cells.limit, headBytes).split('\\n');
  const doing = text(cells.doing, headBytes + textBytes);
  const message = what + ': a system call has not returned for ' + seconds + ' s' + (doing === '' ? '' : ', in or after: ' + doing);
  const hint = 'A disk or server does not answer. This process (pid ' + process.pid + ') kills itself, and does nothing more; while it waits in ' +
    'the kernel (state D) it stays until that answers, and only then another node may take over without fencing this one. ' +
    'Then run the same command again.' + (key === '' ? '' : ' ' + key + ' in the configuration sets how long to wait.');
  const say = (descriptor, line) => { try { writeSync(descriptor, line); } catch {} };
  if (json) say(1, JSON.stringify({ result: 'failed', exitCode: ${exitCodes.killed}, error: { code: '${stuck}', operation: what, message, hint } }) + '\\n');
  say(2, 'nlm-failover: ' + message + '\\n  ' + hint + '\\n');
  process.kill(process.pid, 'SIGKILL');
}
`;
