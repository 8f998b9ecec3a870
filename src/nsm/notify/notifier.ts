import type { BackoffPace } from './backoff.js';
import type { Resolve } from './name-lookup.js';
import { notificationsOf } from './sm-notify.js';
import { type Progress, Report } from './report.js';
import { rpcbind } from '../../rpc/rpcbind-messages.js';
import { Run } from './run.js';
import type { Source } from './sockets.js';
import { openSourceSocket } from './source-socket.js';
import { notifyClient, untried } from './notify-client.js';

export interface NotifyOptions {
  /** The floating IP. */
  readonly source: Source;
  /** What the clients may know the server by: the address as text first, then host names. At least one. */
  readonly names: readonly string[];
  /** The new NSM state: odd, positive, never used before for this floating IP on any node. */
  readonly state: number;
  /** With the even state before it; see notificationsOf. */
  readonly pair?: boolean | undefined;
  /** Recorded clients: addresses as text, or host names. They are begun with in this order. */
  readonly clients: readonly string[];
  /** How many of them, the first ones, have been seen of late; default none. */
  readonly seen?: number | undefined;
  /** How long to try, in milliseconds from now. */
  readonly deadlineMs: number;
  /** For tests; default 111. */
  readonly rpcbindPort?: number | undefined;
  /** Called at most about ten times a second, and at the end. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Called with clients newly notified, in batches, each client once; store them in one transaction. */
  readonly onNotified?: ((clients: string[]) => void) | undefined;
  /**
   * Asked right before packets are sent, at least once for each batch of them (see Run). What it throws ends everything, and
   * `notify` throws it.
   */
  readonly confirm?: (() => void) | undefined;
  /** Stops between packets. */
  readonly signal?: AbortSignal | undefined;
  /** For tests: a deadline that comes with an event instead of a time. */
  readonly deadline?: AbortSignal | undefined;
  /** For tests. */
  readonly pace?: Partial<NotifyPace> | undefined;
  /** For tests; default getaddrinfo. */
  readonly resolve?: Resolve | undefined;
}

export interface NotifyPace extends BackoffPace {
  /** Datagrams on their way at once. */
  readonly window: number;
  /** How long a silent one of them counts as on its way. */
  readonly holdMs: number;
  /** Between two calls of onNotified and onProgress. */
  readonly reportMs: number;
  /** Of each socket's buffers; default as much as the host allows. */
  readonly bufferBytes?: number;
}

export interface NotifyResult {
  readonly notified: string[];
  /** Each with its reason, a sentence such as "statd is not registered with rpcbind". */
  readonly notNotified: { client: string; reason: string }[];
  /** The floating IP; or 0.0.0.0 or :: where this host does not have it (yet), and the kernel chose. */
  readonly sourceUsed: string;
  /** Whether the source port was below 1024. */
  readonly privilegedPort: boolean;
}

/**
 * With 64 datagrams on their way a default socket buffer (212,992 bytes, some 270 small datagrams) keeps
 * room to spare, and silent clients cost at most 64 places of 20 ms: 3,200 of them are tried in a second.
 */
const defaultPace: NotifyPace = { firstMs: 400, capMs: 4000, window: 64, holdMs: 20, reportMs: 100 };

/**
 * Begins with each client in order, as soon as there is room for it (see Run.room), and waits for all. Those with a name have an order of
 * their own: a name server that does not answer holds up nobody else.
 */
async function eachInTurn(
  clients: readonly string[],
  run: Run,
  one: {
    readonly begin: (client: string, index: number) => Promise<void>;
    /** There was no room before the run stopped. */
    readonly leaveOut: (client: string) => void;
  },
): Promise<void> {
  let open = 0;
  let allEnded: (() => void) | undefined;
  const end = (): void => {
    open -= 1;
    if (open === 0) allEnded?.();
  };
  const begin = async (isNamed: boolean): Promise<void> => {
    let isOver = false;
    for (const [index, client] of clients.entries()) {
      if (run.isNamed(client) !== isNamed) continue;
      isOver ||= !(await run.room(isNamed));
      if (isOver) {
        one.leaveOut(client);
        continue;
      }
      open += 1;
      // Not kept: a million of them may be begun with.
      void one.begin(client, index).catch(run.fail).finally(end);
    }
  };
  await Promise.all([begin(false), begin(true)]);
  if (open > 0) await new Promise<void>((resolve) => (allEnded = resolve));
}

/**
 * B-3: sends SM_NOTIFY (X/Open XNFS chapter 11; program 100024 version 1 procedure 6) for every name, all
 * with the same state (but with `pair`), to one client after the other as fast as they can be sent, and again with back-off until its statd has accepted each
 * name or the deadline has passed. Never waits longer than `deadlineMs`, plus at most 2.5 s for an IPv6
 * source still under duplicate address detection.
 * Throws NSM_NOTIFICATION for options that cannot be sent, NSM_SOCKET, and whatever a callback throws.
 */
export async function notify(options: NotifyOptions): Promise<NotifyResult> {
  const notifications = notificationsOf(options.names, options.state, options);
  const pace = { ...defaultPace, ...options.pace };
  const clients = [...new Set(options.clients)];
  const rpcbindPort = options.rpcbindPort ?? rpcbind.port;
  const socket = await openSourceSocket(options.source.family, options.source.address, pace.bufferBytes);
  const run = new Run({
    source: options.source,
    socket,
    resolve: options.resolve,
    confirm: options.confirm,
    ...pace,
  });
  const report = new Report({
    total: clients.length,
    everyMs: pace.reportMs,
    onProgress: options.onProgress,
    onNotified: options.onNotified,
    failed: run.fail,
  });
  const notNotified: NotifyResult['notNotified'] = [];
  const timer = setTimeout(run.stop, options.deadlineMs);
  const end = performance.now() + options.deadlineMs;
  const signals = [options.signal, options.deadline].filter((signal) => signal !== undefined);
  for (const signal of signals) {
    signal.addEventListener('abort', run.stop);
    if (signal.aborted) run.stop();
  }
  try {
    const timeLeft = () => end - performance.now();
    const shared = { run, notifications, rpcbindPort, pace, timeLeft };
    const { seen = 0 } = options;
    const contexts = { seen: { ...shared, isSeen: true }, other: { ...shared, isSeen: false } };
    const ended = (client: string, reason: string | undefined): void => {
      if (reason === undefined) report.add(client);
      else notNotified.push({ client, reason: options.signal?.aborted === true ? 'interrupted' : reason });
    };
    await eachInTurn(clients, run, {
      begin: async (client, index) => {
        ended(client, await notifyClient(client, index < seen ? contexts.seen : contexts.other));
      },
      leaveOut: (client) => ended(client, untried),
    });
    report.end();
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener('abort', run.stop);
    await run.close();
  }
  run.throwFailure();
  const { address, privilegedPort } = socket;
  return { notified: report.notified, notNotified, sourceUsed: address, privilegedPort };
}
