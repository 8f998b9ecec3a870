import type { ErrorCode } from '../../error-codes.js';
import { exitCodes } from '../../errors.js';

const stuck: ErrorCode = 'STUCK';

/** What it is given: see Watchdog, whose memory it looks at. */
export interface ThreadData {
  readonly memory: SharedArrayBuffer;
  readonly json: boolean;
  readonly cells: Readonly<Record<string, number>>;
  readonly clocks: Readonly<Record<string, number>>;
  readonly headBytes: number;
  readonly textBytes: number;
  readonly stoppedAfterMs: number;
}

const lookMs = 500;

/** Loading it is a tenth of a start of Node, so it is not imported: from 20.16 on Node gives it when it is wanted, at once. */
let workerThreads: typeof import('node:worker_threads') | undefined;

/** To be called before startThread. */
export async function prepareThread(): Promise<void> {
  if (!('getBuiltinModule' in process)) workerThreads = await import('node:worker_threads');
}

/** Starts it. It does not keep the process from ending. */
export function startThread(data: ThreadData): void {
  workerThreads ??= process.getBuiltinModule('node:worker_threads');
  const worker = new workerThreads.Worker(threadSource, {
    eval: true,
    workerData: { ...data, lookMs },
    env: {},
    execArgv: [],
  });
  worker.unref();
}

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
  const hint = 'A disk or server does not answer. This process (pid ' + process.pid + ') kills itself, and does nothing more. While it waits in ' +
    'the kernel (state D) it stays: another node may take over only when it is gone, or this node is fenced. ' +
    'Then run the same command again.' + (key === '' ? '' : ' ' + key + ' in the configuration sets how long to wait.');
  const say = (descriptor, line) => { try { writeSync(descriptor, line); } catch {} };
  if (json) say(1, JSON.stringify({ result: 'failed', exitCode: ${exitCodes.killed}, error: { code: '${stuck}', operation: what, message, hint } }) + '\\n');
  say(2, 'nlm-failover: ' + message + '\\n  ' + hint + '\\n');
  process.kill(process.pid, 'SIGKILL');
}
`;
