import type { Answer, Asking, Exchange } from './exchange.js';
import type { Peer } from './outstanding.js';
import { portAnswer, portQuestion, type Protocol } from '../../rpc/rpcbind-messages.js';
import type { Rank } from './send-window.js';
import { nsm } from './sm-notify.js';
import { silenceText } from './statd-call.js';
import { isMalformed } from '../../rpc/xdr.js';

/** What a client's rpcbind said about its statd. Reasons are sentences. */
export type PortFound =
  | { readonly kind: 'port'; readonly port: number; readonly protocol: Protocol }
  /** No statd there now; `reason` says so. */
  | { readonly kind: 'unregistered'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string | undefined };

/** Questions over UDP without an answer, after which rpcbind is asked over TCP beside: UDP may be filtered, or answered from elsewhere. */
const silentBeforeTcp = 2;

/** At the least, for a connection and its answer. */
const connectionMs = 2000;

/**
 * Asks one client's rpcbind for the port of its statd (RFC 1833), as often as needed: for that of UDP, and where there is none for that
 * of TCP. Over TCP it is the other way round, as whoever answers only there will hardly hear UDP.
 */
export class StatdPort {
  readonly #exchange: Exchange;
  readonly #rpcbind: Peer;
  #udp: Asking | undefined;
  readonly #others = new Set<Asking>();
  #overTcp: Promise<PortFound> | undefined;
  #silences = 0;
  #tcpAfter = silentBeforeTcp;

  constructor(exchange: Exchange, rpcbind: Peer) {
    this.#exchange = exchange;
    this.#rpcbind = rpcbind;
  }

  async ask(rank: Rank, timeoutMs: number): Promise<PortFound> {
    const overUdp = this.#askOverUdp(rank, timeoutMs);
    if (this.#overTcp === undefined && this.#silences >= this.#tcpAfter) {
      // Less and less often: most of those who do not answer are down.
      this.#tcpAfter = this.#silences * 2;
      this.#overTcp = this.#askOverTcp(rank, Math.max(timeoutMs, connectionMs)).finally(() => {
        this.#overTcp = undefined;
      });
    }
    // A connection takes its own time: what it brings is waited for in this round, and in those after it.
    return this.#overTcp === undefined ? overUdp : Promise.race([answered(this.#overTcp), overUdp]);
  }

  /** Forgets the question; an `ask` under way ends with no reason. */
  close(): void {
    this.#udp?.close();
    this.#udp = undefined;
    for (const other of this.#others) other.close();
  }

  async #askOverUdp(rank: Rank, timeoutMs: number): Promise<PortFound> {
    this.#udp ??= this.#exchange.request(this.#rpcbind, this.#question('udp'));
    const asked = this.#udp;
    const answer = await asked.attempt(rank, timeoutMs);
    if (answer.kind === 'silence') this.#silences += 1;
    else if (answer.kind !== 'dropped') {
      this.#silences = 0;
      this.#tcpAfter = silentBeforeTcp;
    }
    if (answer.kind !== 'silence' && this.#udp === asked) {
      asked.close();
      this.#udp = undefined;
    }
    const found = this.#read(answer, 'udp');
    if (found.kind !== 'unregistered') return found;
    // RPCB_GETADDR answers for the transport that it is asked over, whatever the question says (rpcbind src/rpcb_svc_com.c).
    const over = this.#rpcbind.family === 6 ? 'tcp' : 'udp';
    const tcp = await this.#once('tcp', over, rank, timeoutMs);
    return tcp.kind === 'port' ? tcp : found;
  }

  async #askOverTcp(rank: Rank, timeoutMs: number): Promise<PortFound> {
    const tcp = await this.#once('tcp', 'tcp', rank, timeoutMs);
    if (tcp.kind !== 'unregistered' || this.#rpcbind.family === 6) return tcp;
    return this.#once('udp', 'tcp', rank, timeoutMs);
  }

  /** For the port of one protocol, over one. */
  async #once(of: Protocol, over: Protocol, rank: Rank, timeoutMs: number): Promise<PortFound> {
    const request = this.#exchange.request(this.#rpcbind, this.#question(of), over);
    this.#others.add(request);
    try {
      return this.#read(await request.attempt(rank, timeoutMs), of);
    } finally {
      this.#others.delete(request);
      request.close();
    }
  }

  #question(protocol: Protocol) {
    const { program, version } = nsm;
    return portQuestion(this.#rpcbind.family, { program, version, protocol });
  }

  #read(answer: Answer, protocol: Protocol): PortFound {
    if (answer.kind === 'dropped') return unknown(undefined);
    if (answer.kind === 'silence') return unknown(silenceText('rpcbind', answer));
    if (answer.kind === 'unsent') return unknown(`cannot send to rpcbind: ${answer.errno}`);
    if (answer.reply.status !== 'SUCCESS') return unknown(`rpcbind refused: ${answer.reply.status}`);
    try {
      const port = portAnswer(this.#rpcbind.family, answer.reply.results);
      if (port === 0) return { kind: 'unregistered', reason: 'statd is not registered with rpcbind' };
      return { kind: 'port', port, protocol };
    } catch (error) {
      if (isMalformed(error)) return unknown('rpcbind answers nonsense');
      throw error;
    }
  }
}

/** Resolves only to what rpcbind has said: what went wrong with a connection says no more than the silence. */
async function answered(asking: Promise<PortFound>): Promise<PortFound> {
  const found = await asking;
  return found.kind === 'unknown' ? new Promise<never>(() => undefined) : found;
}

function unknown(reason: string | undefined): PortFound {
  return { kind: 'unknown', reason };
}
