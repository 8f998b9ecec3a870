import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import type { HeldLock, NfsClient } from '../client.js';
import type { Job } from '../guest.js';
import { type RivalLoop, startRivalLoop } from '../rival-loop.js';
import { type CtdbLab, publicAddresses, startCtdbd, untilSettled, volume } from './cluster.js';

/** The rivals'. */
export const [rivals] = publicAddresses;
/** Those that move. */
export const [, moving, other] = publicAddresses;

/** Of the holder, through one address each. */
const held = [
  { server: moving, at: '/mnt/two', name: 'file2' },
  { server: other, at: '/mnt/three', name: 'file3' },
] as const;
const data = 'written before';
/** Between two tries, seconds: what a guest takes for one is more. */
const pause = 0.05;

/** One client with a lock through each of two addresses, and two rivals through the third one. */
export class Clients {
  readonly #lab: CtdbLab;
  readonly #holder: NfsClient;
  /** Tries again and again. */
  readonly #rival: NfsClient;
  /** Waits, so that a server calls it back. */
  readonly #waiting: NfsClient;
  #locks: HeldLock[] = [];
  #loops: RivalLoop[] = [];
  #waits: Job[] = [];
  readonly #got: string[] = [];

  constructor(lab: CtdbLab) {
    this.#lab = lab;
    this.#holder = lab.c.client('holder');
    this.#rival = lab.c.client('rival');
    this.#waiting = lab.c.client('other');
  }

  async setUp(): Promise<void> {
    await Promise.all([this.#holder, this.#rival, this.#waiting].map((client) => client.setUp()));
  }

  async mount(): Promise<void> {
    for (const { server, at } of held)
      await this.#holder.mount({ server, path: volume, at, options: 'noac,nosharecache' });
    for (const client of [this.#rival, this.#waiting])
      await client.mount({ server: rivals, path: volume, options: 'noac' });
  }

  async lock(): Promise<void> {
    for (const { at, name } of held) {
      const file = `${at}/${name}`;
      await this.#holder.write(file, data);
      this.#locks.push(await this.#holder.lock(file));
    }
  }

  /** Both rivals begin, on both files. */
  async startRivals(): Promise<void> {
    for (const { name } of held) {
      const file = `/mnt/nfs/${name}`;
      this.#loops.push(await startRivalLoop(this.#rival, file, pause));
      const wait = await this.#waiting.start(['flock', '-w', '7200', file, 'echo', name], {
        timeoutSeconds: 7200,
      });
      this.#waits.push(wait);
      wait.result().then(
        ({ stdout }) => void this.#got.push(stdout.trim()),
        () => undefined,
      );
    }
  }

  /** Files of which the rival that waits has had the lock by now. */
  get got(): readonly string[] {
    return this.#got;
  }

  /** Until the rival that waits has had one. @throws Error where it gets none for two minutes */
  async untilGot(): Promise<void> {
    const wait = this.#waits.map((one) => one.result());
    const limit = delay(120_000, undefined, { ref: false }).then(() => {
      throw new Error('the rival that waits got no lock');
    });
    await Promise.race([...wait, limit]);
  }

  /** The rivals end; how often the one that asks did, and how often it had a lock. */
  async stopRivals(): Promise<{ readonly tries: number; readonly stolen: number }> {
    const all = await Promise.all(this.#loops.splice(0).map((loop) => loop.stop()));
    for (const wait of this.#waits.splice(0)) wait.kill();
    const sum = (of: 'tries' | 'stolen') => all.reduce((total, one) => total + one[of], 0);
    return { tries: sum('tries'), stolen: sum('stolen') };
  }

  /** The rivals end, and the one that asks has asked, and never had a lock. */
  async assertNoneStolen(t: ExecutionContext): Promise<void> {
    const { tries, stolen } = await this.stopRivals();
    t.log(`the rival asked ${tries} times`);
    t.true(tries > 0);
    t.is(stolen, 0);
  }

  /** Every witness that both locks are the holder's still, and that nobody else had one: the servers, the client's kernel, the data. */
  async assertKept(t: ExecutionContext, what: string): Promise<void> {
    const { a, c, volume: disk } = this.#lab;
    t.is((await a.nfsLocks(disk.device)).length, 2, `${what}: both are held`);
    t.false(await c.clientLogHas('failed to reclaim'), what);
    t.deepEqual(this.got, [], `${what}: the one who waits waits on`);
    for (const { at, name } of held) t.is(await this.#holder.read(`${at}/${name}`), data, what);
  }
}

/** The cluster is healthy, both locks are held, and both rivals try. `generation`: of the barrier. */
export async function holdAll(
  lab: CtdbLab,
): Promise<{ readonly clients: Clients; readonly generation: number }> {
  const clients = new Clients(lab);
  await Promise.all([startCtdbd(lab), clients.setUp()]);
  const generation = await untilSettled(lab, lab.nodes, 0, 0);
  await clients.mount();
  await clients.lock();
  await clients.startRivals();
  return { clients, generation };
}
