import { randomInt } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { type Interfaces, readClient } from './client-address.js';
import { callOverTcp } from '../../rpc/rpc-stream.js';
import { Exchange, type Send } from './exchange.js';
import { NameLookup, type Resolve } from './name-lookup.js';
import { Outstanding } from './outstanding.js';
import { SendWindow } from './send-window.js';
import { type Source, Sockets } from './sockets.js';
import type { SourceSocket } from './source-socket.js';
import type { Located } from './notify-client.js';

export interface RunParts {
  readonly source: Source;
  /** Bound to it; the run closes it. */
  readonly socket: SourceSocket;
  /** Datagrams on their way at once. */
  readonly window: number;
  /** How long a silent one of them counts as on its way, in milliseconds. */
  readonly holdMs: number;
  /** For tests; default as much as the host allows. */
  readonly bufferBytes?: number | undefined;
  /** See NotifyOptions. */
  readonly confirm?: (() => void) | undefined;
  /** Default getaddrinfo. */
  readonly resolve?: Resolve | undefined;
}

/** As long as nobody is asked again whether to go on. */
const batch = { packets: 64, ms: 100 };

/** Connections at once: each needs a descriptor, and one to a host that is down stays open for the whole of an attempt. */
const streamPlaces = 128;

/** What all clients of one `notify` share, and the one place that ends everything that waits. */
export class Run {
  readonly exchange: Exchange;
  readonly #pauses = new Pauses();
  readonly #family: Source['family'];
  readonly #lookup: NameLookup;
  readonly #window: SendWindow;
  readonly #interfaces: Interfaces;
  readonly #sockets: Sockets;
  #stopped = false;
  #failure: { readonly error: unknown } | undefined;

  constructor({ source, socket, window, holdMs, bufferBytes, confirm, resolve }: RunParts) {
    // Unpredictable, so that nobody who cannot see our packets can answer for a client.
    const outstanding = new Outstanding(() => randomInt(2 ** 32));
    this.#family = source.family;
    this.#lookup = new NameLookup(resolve);
    this.#interfaces = readInterfaces(source.address);
    const received = outstanding.receive.bind(outstanding);
    this.#sockets = new Sockets(source, socket, { received, failed: this.fail }, bufferBytes);
    this.#window = new SendWindow(window);
    this.exchange = new Exchange({
      send: confirm === undefined ? this.#sockets.send : this.#confirmed(confirm),
      stream: async (call, to, timeoutMs, signal) => {
        // Few go over TCP: each is asked for.
        if (!this.#mayGoOn(confirm)) return { kind: 'dropped' };
        const localAddress = this.#sockets.sourceTo(to);
        return callOverTcp({ ...to, call, timeoutMs, signal, localAddress });
      },
      streamWindow: new SendWindow(streamPlaces),
      outstanding,
      window: this.#window,
      holdMs,
    });
  }

  /** Waits `ms` milliseconds, or until the run stops; not at all if `ms` is not positive. */
  readonly pause = (ms: number): Promise<void> => this.#pauses.pause(ms);

  /** Sends as long as `confirm`, asked again after so many packets and so long, does not throw. */
  #confirmed(confirm: () => void): Send {
    let left = 0;
    let until = 0;
    return async (datagram, to) => {
      const now = performance.now();
      if (left === 0 || now >= until) {
        if (!this.#mayGoOn(confirm)) return 'ECANCELED';
        left = batch.packets;
        until = now + batch.ms;
      }
      left -= 1;
      return this.#sockets.send(datagram, to);
    };
  }

  /** Asks `confirm`; what it throws ends the run. */
  #mayGoOn(confirm: (() => void) | undefined): boolean {
    try {
      confirm?.();
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  readonly isStopped = (): boolean => this.#stopped;

  /** Whether a recorded client is known by a host name. */
  readonly isNamed = (client: string): boolean => readClient(client, this.#interfaces).kind === 'name';

  /** Waits until another client can be begun with; those with a name wait for names only. False once the run has stopped. */
  readonly room = (isNamed: boolean): Promise<boolean> =>
    isNamed ? this.#lookup.room() : this.#window.room();

  /** Ends every wait; nothing is sent after it. */
  readonly stop = (): void => {
    this.#stopped = true;
    this.exchange.stop();
    this.#pauses.stop();
    this.#lookup.stop();
  };

  /** Stops with an error, of which the first is thrown by `throwFailure`. */
  readonly fail = (error: unknown): void => {
    this.#failure ??= { error };
    this.stop();
  };

  /** Stops, and closes the sockets. */
  async close(): Promise<void> {
    this.stop();
    await this.#sockets.close();
  }

  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Where to send to a recorded client; a host name is resolved in the family of the floating IP. */
  readonly locate = async (client: string): Promise<Located> => {
    const read = readClient(client, this.#interfaces);
    if (read.kind !== 'name') return read;
    const address = await this.#lookup.find(read.name, this.#family);
    const resolved = address === undefined ? undefined : readClient(address, this.#interfaces);
    if (resolved === undefined || resolved.kind === 'name')
      return { kind: 'again', reason: 'name does not resolve' };
    return resolved;
  };
}

/** Waits that a run can cut short all at once. */
class Pauses {
  readonly #wakers = new Set<() => void>();
  #stopped = false;

  pause(ms: number): Promise<void> {
    if (this.#stopped || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#wakers.add(wake);
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const wake of this.#wakers) wake();
  }
}

/** This host's interfaces that have an IPv6 address (only those have scopes), seen from a floating IP. */
function readInterfaces(source: string): Interfaces {
  let ofSource: string | undefined;
  const byIndex = new Map<number, string>();
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    for (const entry of addresses ?? []) {
      if (entry.address === source) ofSource = name;
      if (entry.family === 'IPv6' && entry.scopeid) byIndex.set(entry.scopeid, name);
    }
  }
  return { ofSource, byIndex };
}
