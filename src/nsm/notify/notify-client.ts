import { Backoff, type BackoffPace } from './backoff.js';
import type { ClientAddress } from './client-address.js';
import type { Exchange } from './exchange.js';
import { type Rank, ranks } from './send-window.js';
import type { Notification } from './sm-notify.js';
import { type CallRound, StatdCall } from './statd-call.js';
import { type PortFound, StatdPort } from './statd-port.js';

/** Where to send to a recorded client, or why nowhere: for good, or for now (`again`). */
export type Located =
  | Exclude<ClientAddress, { readonly kind: 'name' }>
  | { readonly kind: 'again'; readonly reason: string };

type Place = Extract<Located, { readonly kind: 'address' }>;

/** What notifying one client takes from the run that it is part of. */
export interface NotifyContext {
  readonly run: SharedRun;
  /** See notificationsOf. */
  readonly notifications: readonly (readonly Notification[])[];
  readonly rpcbindPort: number;
  readonly pace: BackoffPace;
  /** Until the deadline, in milliseconds. */
  readonly timeLeft: () => number;
  /** Whether the client has been seen of late: then its retries do not wait for everybody's first try. */
  readonly isSeen: boolean;
}

/** As far as one client needs it. */
export interface SharedRun {
  readonly exchange: Exchange;
  /** Waits milliseconds, or until the run stops. */
  readonly pause: (ms: number) => Promise<void>;
  readonly locate: (client: string) => Promise<Located>;
  readonly isStopped: () => boolean;
}

const undecided = 'no answer before the deadline';
/** Why a client is not notified that was never begun with. */
export const untried = 'not tried before the deadline';
/** Rounds of silence from a port that rpcbind gave, after which rpcbind is asked again beside. */
const silentRoundsBeforeAsking = 2;

/**
 * Notifies one client, trying again until its statd has accepted every name or the run stops.
 * Returns undefined once it is notified, else why it is not, as a sentence.
 */
export async function notifyClient(client: string, context: NotifyContext): Promise<string | undefined> {
  const backoff = new Backoff(context.pace, Math.random, context.timeLeft);
  let reason = untried;
  while (!context.run.isStopped()) {
    const located = await context.run.locate(client);
    if (located.kind === 'address') return new Visit(located, backoff, context).run();
    reason = located.reason;
    if (located.kind === 'unusable') break;
    await context.run.pause(backoff.next());
  }
  return reason;
}

/**
 * One client at its address. Each round asks rpcbind for the port, or notifies the statd at the known port,
 * or both when that one has gone silent: a client that reboots comes back with another port, or first
 * with an rpcbind and no statd. A round that brought nothing lasts as long as its waiting time, whatever
 * ended it, so no answer of a client can make us send faster than the back-off.
 */
class Visit {
  readonly #place: Place;
  readonly #context: NotifyContext;
  readonly #backoff: Backoff;
  readonly #statdPort: StatdPort;
  #statd: StatdCall | undefined;
  #silentRounds = 0;
  #everFound = false;
  #reason = undecided;
  /** What the client's last answer said, if that is why it is not notified. */
  #refusal: string | undefined;

  constructor(place: Place, backoff: Backoff, context: NotifyContext) {
    this.#place = place;
    this.#context = context;
    this.#backoff = backoff;
    this.#statdPort = new StatdPort(context.run.exchange, { ...place, port: context.rpcbindPort });
  }

  async run(): Promise<string | undefined> {
    let rank: Rank = ranks.firstTry;
    try {
      while (!this.#context.run.isStopped()) {
        const start = performance.now();
        const timeoutMs = this.#backoff.next();
        const [round, found] = await this.#round(rank, timeoutMs);
        if (round?.left === 0) return undefined;
        this.#noteReason(round, found);
        const accepted = this.#readRound(round);
        const discovered = this.#readPort(found);
        // What held rpcbind up says nothing about a statd that has not been called yet.
        if (discovered && !this.#everFound) this.#reason = undecided;
        if (accepted || (discovered && !this.#everFound)) this.#backoff.reset();
        this.#everFound ||= discovered;
        rank = accepted || discovered ? ranks.followUp : this.#retryRank;
        if (rank !== ranks.followUp) await this.#context.run.pause(timeoutMs - (performance.now() - start));
      }
      return this.#reason;
    } finally {
      this.#statdPort.close();
      this.#statd?.close();
    }
  }

  get #retryRank(): Rank {
    return this.#context.isSeen ? ranks.seenRetry : ranks.retry;
  }

  #round(rank: Rank, timeoutMs: number): Promise<[CallRound | undefined, PortFound | undefined]> {
    const statd = this.#statd;
    const asks = statd === undefined || this.#silentRounds >= silentRoundsBeforeAsking;
    return Promise.all([
      statd?.attempt(rank, timeoutMs).then((round) => {
        if (round.left === 0) this.#statdPort.close();
        return round;
      }),
      asks
        ? this.#statdPort.ask(rank, timeoutMs).then((found) => {
            if (found.kind === 'port' && found.port !== statd?.statd.port) statd?.close();
            return found;
          })
        : undefined,
    ]);
  }

  /** The silence after an answer may be a lost packet, so it does not hide what the answer said. */
  #noteReason(round: CallRound | undefined, found: PortFound | undefined): void {
    const reason = round?.reason ?? (found?.kind === 'port' ? undefined : found?.reason);
    const answered = round?.refused === true || found?.kind === 'unregistered';
    if (answered) this.#refusal = reason;
    else if (found?.kind === 'port' || (round !== undefined && round.accepted > 0)) this.#refusal = undefined;
    if (reason === undefined) return;
    this.#reason =
      answered || this.#refusal === undefined ? reason : `${this.#refusal}; since then: ${reason}`;
  }

  /** Whether the statd accepted anything. */
  #readRound(round: CallRound | undefined): boolean {
    if (round === undefined) return false;
    this.#silentRounds = round.accepted > 0 || round.refused ? 0 : this.#silentRounds + 1;
    if (round.refused) this.#statd = undefined;
    return round.accepted > 0;
  }

  /** Whether there is now a statd to notify that there was not before. */
  #readPort(found: PortFound | undefined): boolean {
    if (found === undefined || found.kind === 'unknown') return false;
    this.#silentRounds = 0;
    if (found.kind === 'unregistered') {
      this.#statd = undefined;
      return false;
    }
    const { port, protocol } = found;
    if (this.#statd?.statd.port === port && this.#statd.statd.protocol === protocol) return false;
    const { run, notifications } = this.#context;
    this.#statd = new StatdCall(run.exchange, { ...this.#place, port, protocol }, notifications);
    return true;
  }
}
