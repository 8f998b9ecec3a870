import type { Answer, Exchange, Request } from './exchange.js';
import type { Peer } from './outstanding.js';
import { portAnswer, portQuestion } from '../../rpc/rpcbind-messages.js';
import type { Rank } from './send-window.js';
import { nsm } from './sm-notify.js';
import { isMalformed } from '../../rpc/xdr.js';

/** What a client's rpcbind said about its statd. Reasons are sentences. */
export type PortFound =
  | { readonly kind: 'port'; readonly port: number }
  /** No statd there now; `reason` says so. */
  | { readonly kind: 'unregistered'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string | undefined };

/** Asks one client's rpcbind for the UDP port of its statd (RFC 1833), as often as needed. */
export class StatdPort {
  readonly #exchange: Exchange;
  readonly #rpcbind: Peer;
  #request: Request | undefined;

  constructor(exchange: Exchange, rpcbind: Peer) {
    this.#exchange = exchange;
    this.#rpcbind = rpcbind;
  }

  async ask(rank: Rank, timeoutMs: number): Promise<PortFound> {
    const { family } = this.#rpcbind;
    this.#request ??= this.#exchange.request(
      this.#rpcbind,
      portQuestion(family, { program: nsm.program, version: nsm.version, protocol: 'udp' }),
    );
    const answer = await this.#request.attempt(rank, timeoutMs);
    if (answer.kind !== 'silence') this.close();
    return this.#read(answer);
  }

  /** Forgets the question; an `ask` under way ends with no reason. */
  close(): void {
    this.#request?.close();
    this.#request = undefined;
  }

  #read(answer: Answer): PortFound {
    if (answer.kind === 'dropped') return unknown(undefined);
    if (answer.kind === 'silence') return unknown('rpcbind does not answer');
    if (answer.kind === 'unsent') return unknown(`cannot send to rpcbind: ${answer.errno}`);
    if (answer.reply.status !== 'SUCCESS') return unknown(`rpcbind refused: ${answer.reply.status}`);
    try {
      const port = portAnswer(this.#rpcbind.family, answer.reply.results);
      if (port === 0) return { kind: 'unregistered', reason: 'statd is not registered with rpcbind' };
      return { kind: 'port', port };
    } catch (error) {
      if (isMalformed(error)) return unknown('rpcbind answers nonsense');
      throw error;
    }
  }
}

function unknown(reason: string | undefined): PortFound {
  return { kind: 'unknown', reason };
}
