import type { Answer, Asking, Exchange } from './exchange.js';
import type { Peer } from './outstanding.js';
import type { Protocol } from '../../rpc/rpcbind-messages.js';
import type { Rank } from './send-window.js';
import type { Notification } from './sm-notify.js';

/** What one round of SM_NOTIFY to a client came to. */
export interface CallRound {
  /** Calls accepted in this round. */
  readonly accepted: number;
  /** Calls that the client has not accepted yet; it is notified when there are none. */
  readonly left: number;
  /** The client's statd answered, but not with success: what rpcbind said of its port may be out of date. */
  readonly refused: boolean;
  /** Why names are left, as a sentence; undefined when nothing was learned. */
  readonly reason: string | undefined;
}

/** Sends SM_NOTIFY for each name to one client's statd, one list after the other, until it has accepted each. */
export class StatdCall {
  readonly statd: Peer & { readonly protocol: Protocol };
  readonly #exchange: Exchange;
  readonly #lists: readonly (readonly Notification[])[];
  /** By SM_NOTIFY call, one for each not accepted yet. */
  readonly #left = new Map<Notification, Asking | undefined>();

  constructor(exchange: Exchange, statd: StatdCall['statd'], lists: readonly (readonly Notification[])[]) {
    this.#exchange = exchange;
    this.statd = statd;
    this.#lists = lists;
    for (const call of lists.flat()) this.#left.set(call, undefined);
  }

  /** Sends what is left of the first list once, all names together, and waits up to `timeoutMs` for each answer. */
  async attempt(rank: Rank, timeoutMs: number): Promise<CallRound> {
    const before = this.#left.size;
    const due = this.#lists.map((list) => list.filter((call) => this.#left.has(call)));
    const failures = await Promise.all(
      (due.find((list) => list.length > 0) ?? []).map((call) => this.#notify(call, rank, timeoutMs)),
    );
    const failed = failures.filter((failure) => failure !== undefined);
    return {
      accepted: before - this.#left.size,
      left: this.#left.size,
      refused: failed.some((failure) => failure.refused),
      reason: (failed.find((failure) => failure.refused) ?? failed.find((failure) => failure.reason))?.reason,
    };
  }

  /** Forgets what is left; an attempt under way ends. */
  close(): void {
    for (const request of this.#left.values()) request?.close();
  }

  async #notify(call: Notification, rank: Rank, timeoutMs: number): Promise<Failure | undefined> {
    const request = this.#left.get(call) ?? this.#exchange.request(this.statd, call, this.statd.protocol);
    this.#left.set(call, request);
    const answer = await request.attempt(rank, timeoutMs);
    const failure = failureOf(answer);
    if (failure === undefined) this.#left.delete(call);
    // A request that is answered is over; the next attempt needs a new xid.
    else if (answer.kind === 'reply') this.#left.set(call, undefined);
    return failure;
  }
}

interface Failure {
  readonly refused: boolean;
  readonly reason: string | undefined;
}

/** SM_NOTIFY has no results: accepted is SUCCESS and nothing after it. */
function failureOf(answer: Answer): Failure | undefined {
  if (answer.kind === 'dropped') return { refused: false, reason: undefined };
  if (answer.kind === 'silence') return { refused: false, reason: silenceText('statd', answer) };
  if (answer.kind === 'unsent') return { refused: false, reason: `cannot send to statd: ${answer.errno}` };
  const { reply } = answer;
  if (reply.status !== 'SUCCESS') return { refused: true, reason: `statd refused: ${reply.status}` };
  return reply.results.length === 0 ? undefined : { refused: true, reason: 'statd answers nonsense' };
}

/** "statd does not answer", and who did instead. */
export function silenceText(
  what: 'rpcbind' | 'statd',
  { elsewhere }: { readonly elsewhere?: string },
): string {
  return elsewhere === undefined
    ? `${what} does not answer`
    : `${what} does not answer; an answer came from ${elsewhere} instead`;
}
