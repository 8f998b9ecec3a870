import { prepareThread, startThread } from './watchdog-thread.js';

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
/** A look that is later than this was not late but stopped. */
const stoppedAfterMs = 2_000;
const textBytes = 2048;
const beatMs = 250;
/** Where no limit is set: to read the configuration, and after a step has failed. */
const firstPatience = 60;
/** A file system that has not answered by then is worth a thread. */
const soonMs = 1_000;

/**
 * A thread that cannot be blocked by what blocks this process: a read or write that does not return, because its disk or server
 * does not answer. Reads and writes of files, and SQLite, have no timeout, and Node none to give them. When this process
 * has not turned for the patience of the step it is in, the thread says so and kills it, so that whenever the call does return
 * nothing more is done after all.
 *
 * It counts the time in which it ran itself: a process that was stopped, or a virtual machine that was frozen, has not waited.
 *
 * The thread costs as much as Node's own start, so it is started right before the first call that may block: by `doing` and
 * `reading`, which whoever makes such a call says it to. What every command must look at before it knows whether there is anything to
 * do is asked in Node's thread pool: by `asking`.
 */
class Watchdog {
  readonly #memory = new SharedArrayBuffer(headBytes + 2 * textBytes);
  readonly #cells = new Int32Array(this.#memory, 0, 4);
  readonly #clocks = new Float64Array(this.#memory, 16, clockBytes / 8);
  readonly #json: boolean;
  readonly #printable: (text: string) => string;
  readonly #limits: Watched[] = [];
  /** Files that have answered: what was read of them is in the kernel's memory. */
  readonly #answered = new Set<string>();
  /** Files whose question is not answered yet. */
  readonly #asked = new Set<string>();
  #watched = false;

  constructor(json: boolean, printable: (text: string) => string) {
    this.#json = json;
    this.#printable = printable;
    this.#clocks[clocks.looked] = monotonicMs();
    this.#apply();
    setInterval(this.#turn, beatMs).unref();
  }

  #watch(): void {
    if (this.#watched) return;
    this.#look();
    this.#watched = true;
    startThread({
      memory: this.#memory,
      json: this.#json,
      cells,
      clocks,
      headBytes,
      textBytes,
      stoppedAfterMs,
    });
  }

  readonly #turn = (): void => {
    if (this.#asked.size === 0) this.#beat();
    if (!this.#watched) this.#look();
  };

  #beat(): void {
    Atomics.add(this.#cells, cells.beat, 1);
  }

  /** As the thread does. Before there is one this process turns all the time, or was stopped. */
  #look(): void {
    const stopped = this.stoppedMs;
    this.#clocks[clocks.stopped] = stopped;
    this.#clocks[clocks.looked] = monotonicMs();
  }

  /** See stoppedMs. Nobody may have looked yet since this process has been going on. */
  get stoppedMs(): number {
    const late = monotonicMs() - (this.#clocks[clocks.looked] ?? 0);
    return (this.#clocks[clocks.stopped] ?? 0) + (late > stoppedAfterMs ? late : 0);
  }

  async asking<T>(file: string, question: Promise<T>): Promise<T> {
    this.#noteAsked(file);
    const timer = setTimeout(() => this.#watch(), soonMs);
    try {
      return await question;
    } finally {
      // An error is an answer too.
      this.#answered.add(file);
      clearTimeout(timer);
      this.#asked.delete(file);
      const [other] = this.#asked;
      if (other === undefined) this.#beat();
      else this.#noteAsked(other);
    }
  }

  #noteAsked(file: string): void {
    this.#asked.add(file);
    this.#note(`reading ${file}`);
  }

  reading(file: string): void {
    if (isKernelMemory(file) || this.#answered.has(file)) this.#note(`reading ${file}`);
    else this.doing(`reading ${file}`);
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
    this.#beat();
  }

  doing(what: string): void {
    this.#note(what);
    this.#watch();
  }

  #note(what: string): void {
    this.#write(cells.doing, headBytes + textBytes, this.#printable(what));
    this.#beat();
  }

  #write(length: number, offset: number, text: string): void {
    const bytes = Buffer.from(text).subarray(0, textBytes);
    bytes.copy(Buffer.from(this.#memory, offset, textBytes));
    Atomics.store(this.#cells, length, bytes.length);
  }
}

let watchdog: Watchdog | undefined;

/**
 * Files that no disk and no server is waited for with. Those of nfsd and lockd may be: their locks are held while nfsd's last thread
 * waits for a disk (fs/nfsd/nfsctl.c, nfsd_mutex). In /dev/shm anybody may keep the lease of a file.
 */
function isKernelMemory(file: string): boolean {
  return /^\/(?:proc|sys|run|dev(?!\/shm))\//.test(file) && !/\/fs\/(?:nfsd|lockd)\//.test(file);
}

/** Once, at the beginning of a process. `json`: also a last line on standard output, as every failure of --json has it. `printable`: makes a name harmless for a terminal. */
export async function openWatchdog(json: boolean, printable: (text: string) => string): Promise<void> {
  await prepareThread();
  watchdog ??= new Watchdog(json, printable);
}

/**
 * What a file, or a directory, answers in Node's thread pool, where this process does not wait with it. Where it does not answer that
 * is said, and this process ends, as with any call that does not return: the thread is started, and sees no life until there is an
 * answer. What has answered `reading` takes for safe.
 */
export function asking<T>(file: string, question: Promise<T>): Promise<T> {
  return watchdog?.asking(file, question) ?? question;
}

/** A clock that is the same in both threads, unlike performance.now(). */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * For how long this process has been stopped since it began (SIGSTOP, a frozen machine), ms: time in which it has not waited
 * for anything, so that it goes on where it was, and learns at its next step whose the address is now.
 */
export function stoppedMs(): number {
  return watchdog?.stoppedMs ?? 0;
}

/** Says what is being done, and for how long this process may stand still in it. Returns a function that ends that. */
export function begun(limit: Watched): () => void {
  return watchdog?.begun(limit) ?? ((): void => undefined);
}

/** Right before a call that may block, which is watched from here on: what, for the sentence. "opening /srv/vol1/.nlm/sm_10.10.1.1/monitors.db". */
export function doing(what: string): void {
  watchdog?.doing(what);
}

/** The same right before a file is read. One that is in the kernel's memory, or has answered before, need not be watched. */
export function reading(file: string): void {
  watchdog?.reading(file);
}
