import { NfsClient } from './client.js';
import { Guest } from './guest.js';

/** Last numbers of the clients' addresses, 10.10.1.x and fd00:10:10:1::x. */
export const clientNumbers = { holder: 21, rival: 22, other: 23 } as const;

export type ClientName = keyof typeof clientNumbers;

/** Guest C: three NFS clients, each made when it is first used, one kernel and one kernel log. */
export class ClientHost extends Guest {
  readonly #clients = new Map(
    Object.entries(clientNumbers).map(([name, number]) => [
      name,
      new NfsClient(this, name, `10.10.1.${number}`, `fd00:10:10:1::${number}`),
    ]),
  );

  override async boot(): Promise<void> {
    for (const client of this.#clients.values()) client.forget();
    await super.boot();
  }

  client(name: ClientName): NfsClient {
    const client = this.#clients.get(name);
    if (client === undefined) throw new Error(`no client ${name}`);
    return client;
  }

  /** Whether the kernel's log of all clients has this text, for instance `failed to reclaim`. */
  async clientLogHas(text: string): Promise<boolean> {
    return (await this.kernelLog()).includes(text);
  }
}
