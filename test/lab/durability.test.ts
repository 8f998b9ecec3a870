/**
 * Power cuts while rpc.statd acknowledges clients: every event that it has acknowledged is in the record afterwards. ext4, the
 * journal synchronous by itself (chattr +S) in one half of the cuts, in the other synced by the callout (sync -d).
 *
 * Most of the cuts are copies of the disk of a guest that stands still (SIGSTOP of its kernel). Nothing of what a guest has in
 * its caches is in its image then, just as after SIGKILL: the image is what a disk has after a power cut at that moment. The
 * last cut of a round is a SIGKILL; the other server boots, replays ext4's journal, and takes over. What none of this
 * shows is a disk that loses what it said was written: for a disk with a cache of its own that flushes are asked for is seen
 * by test/bench/callout.ts.
 *
 * Two rounds and eight cuts, one of them a SIGKILL. In full, ten rounds, 200 cuts, ten of them a SIGKILL, in 6 to 17 minutes:
 *
 *     NLM_FULL=1 npx ava --timeout=60m build/test/lab/durability.test.js
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { deferred } from './deferred.js';
import type { Job } from './guest.js';
import { labUnavailable } from './lab.js';
import { monitoredAfter } from './monitor-sequence.js';
import { inGuest } from './project-root.js';
import { oneDisk, openServerLab, type ServerLab } from './one-server.js';
import { copyImage, eventsOf, ofRound, recoverCopy, type Remains } from './recovered.js';
import type { Server } from './server.js';
import { callout, configure, nlmFailover, recordOf } from './site.js';
import { useLab } from './use-lab.js';

const isFull = process.env['NLM_FULL'] === '1';
const rounds = isFull ? 10 : 2;
/** Rounds that end with a SIGKILL. */
const kills = isFull ? rounds : 1;
/** Beside that SIGKILL. */
const copiesInRound = isFull ? 19 : 3;

const { moving } = oneDisk;
const { address } = moving;
const state = '.nlm';
/** One disk is enough: it holds the record too. */
const record = recordOf(moving);
const syncLink = `/run/nlm-failover/sync/${address}`;

/** Who makes each line durable. */
type DurableBy = 'chattr +S' | 'sync -d';

interface Round {
  readonly number: number;
  readonly server: Server;
  readonly by: DurableBy;
}

type Count = (acknowledged: number, remains: Remains) => void;

/** The acknowledgements of a round, as many as have reached the machine. */
class Acknowledged {
  count = 0;
  #wanted = 0;
  #reached = deferred<void>();

  constructor(server: Server) {
    server.onNote = (text) => {
      this.count = Number(text);
      if (this.count >= this.#wanted) this.#reached.resolve();
    };
  }

  /** Waits until there are so many; rejects with the loop where that ends before. */
  async reach(count: number, loop: Job): Promise<void> {
    this.#wanted = count;
    this.#reached = deferred<void>();
    if (this.count >= count) return;
    await Promise.race([
      this.#reached.promise,
      loop.result().then(() => {
        throw new Error('the loop has ended');
      }),
    ]);
  }
}

const reason = labUnavailable();
const labTest = reason === undefined ? test.serial : test.serial.skip;

labTest(`power cuts while clients are recorded${reason === undefined ? '' : ` (${reason})`}`, async (t) => {
  await useLab(t, isFull ? 60 : 10, openServerLab, async (lab) => {
    const figures = { cuts: 0, acknowledged: 0, missing: 0, torn: 0 };
    const count: Count = (acknowledged, { events, torn }) => {
      figures.cuts += 1;
      figures.acknowledged += acknowledged;
      figures.missing += Math.max(0, acknowledged - events);
      figures.torn += torn ? 1 : 0;
    };
    let server = lab.a;
    await serve(lab, server, 'chattr +S');
    for (let number = 1; number <= rounds; number += 1) {
      const by = number % 2 === 1 ? 'chattr +S' : 'sync -d';
      const round: Round = { number, server, by };
      await assertDurableBy(t, round);
      const killed = number <= kills;
      const acknowledged = await cutOften(t, lab, round, { killed, count });
      if (!killed) continue;
      // Whoever takes over serves the next round.
      server = server === lab.a ? lab.b : lab.a;
      await takeOver(t, lab, round, { server, acknowledged, count });
    }
    t.log(
      `${figures.cuts} cuts, ${kills} of them SIGKILL and a takeover; ${figures.acknowledged} acknowledged events looked for, ${figures.missing} missing; ${figures.torn} torn lines`,
    );
    t.is(figures.missing, 0);
    await assertItCanFail(t, lab, server);
  });
});

/** Switches a server on; it takes over, and records for the address in the way given. */
async function serve(lab: ServerLab, server: Server, by: DurableBy, fenced = false): Promise<void> {
  await server.boot();
  await configure(lab, server, [moving]);
  await server.startNfs({ callout, graceSeconds: lab.graceSeconds });
  // Where chattr is not to be had, takeover leaves the syncing to the callout.
  if (by === 'sync -d') await server.run(['mv', '/usr/bin/chattr', '/usr/bin/chattr.away']);
  // Everything but B-3: the clients do not exist.
  const steps = ['takeover', address, '--steps', 'B-1,B-2,B-5,B-4', ...(fenced ? ['--fenced'] : [])];
  await nlmFailover(server, steps);
  // B-3 thaws the record, from which nobody leaves until then; it would wait for clients that are none.
  await server.run(['rm', '-f', `/run/nlm-failover/frozen/${address}`]);
}

/** Who makes a line durable is who should: the other one is not there. */
async function assertDurableBy(t: ExecutionContext, { server, by }: Round): Promise<void> {
  const journal = `${record}/journal.${server.name}`;
  const attributes = (await server.run(['lsattr', '-l', journal])).stdout;
  t.is(/Synchronous_Updates/u.test(attributes), by === 'chattr +S', attributes);
  t.is((await server.run(['test', '-h', syncLink], { reject: false })).exitCode === 0, by === 'sync -d');
}

async function startLoop(server: Server, round: number, fold: boolean): Promise<Job> {
  const loop = inGuest('build/test/lab/monitor-loop.js');
  const argv = ['node', loop, String(round), ...(fold ? [record] : [])];
  return server.start(argv, { timeoutSeconds: 3_600 });
}

/** Stops the guest as it is, copies its disk, and lets it go on. Returns how many acknowledgements had left it by then. */
async function copyFrozen(lab: ServerLab, server: Server, seen: Acknowledged, copy: string): Promise<number> {
  const thaw = await server.freeze();
  try {
    await copyImage(lab.disks.vol1.image, copy);
    // What it had sent before it stood still is read by now, or else not counted.
    await setImmediate();
    return seen.count;
  } finally {
    thaw();
  }
}

/** Cuts while a loop calls statd. Resolves to how many of its events were acknowledged at the end. */
async function cutOften(
  t: ExecutionContext,
  lab: ServerLab,
  { number, server, by }: Round,
  { killed, count }: { readonly killed: boolean; readonly count: Count },
): Promise<number> {
  const seen = new Acknowledged(server);
  const loop = await startLoop(server, number, true);
  const copies = copiesInRound + (killed ? 0 : 1);
  for (let cut = 1; cut <= copies; cut += 1) {
    await seen.reach(seen.count + 3 + Math.floor(Math.random() * 10), loop);
    // Not right after an acknowledgement only, but at any moment of an event.
    await setTimeout(Math.random() * 50);
    const copy = join(lab.directory, `cut-${number}-${cut}`);
    const acknowledged = await copyFrozen(lab, server, seen, copy);
    const remains = await recoverCopy(copy, { state, address, node: server.name, round: number });
    count(acknowledged, remains);
    t.true(remains.events >= acknowledged, `${by}, cut ${cut}: ${acknowledged} and ${remains.events}`);
    t.deepEqual(remains.clients, monitoredAfter(number, remains.events), `${by}, cut ${cut}`);
  }
  await seen.reach(seen.count + 3, loop);
  if (killed) {
    await server.powerCut();
  } else {
    loop.kill();
    await t.throwsAsync(loop.result());
  }
  return seen.count;
}

/** After a SIGKILL: what the other server's takeover finds on the disk, once its kernel has replayed ext4's journal. */
async function takeOver(
  t: ExecutionContext,
  lab: ServerLab,
  { number, server: dead, by }: Round,
  {
    server,
    acknowledged,
    count,
  }: { readonly server: Server; readonly acknowledged: number; readonly count: Count },
): Promise<void> {
  await serve(lab, server, by === 'chattr +S' ? 'sync -d' : 'chattr +S', true);
  const journal = await server.read(`${record}/journal.${dead.name}`);
  const listed = await nlmFailover(server, ['clients', address]);
  const clients = listed.stdout.split('\n').flatMap((line) => {
    const { client } = (line === '' ? {} : JSON.parse(line)) as { client?: string };
    return client === undefined ? [] : [client];
  });
  const remains = { ...eventsOf(Buffer.from(journal), number), clients: ofRound(number, clients) };
  count(acknowledged, remains);
  t.true(remains.events >= acknowledged, `${by}, takeover: ${acknowledged} and ${remains.events}`);
  t.deepEqual(remains.clients, monitoredAfter(number, remains.events), `${by}, takeover`);
}

/** The same with nobody who makes a line durable: acknowledged events are missing, until somebody syncs. */
async function assertItCanFail(t: ExecutionContext, lab: ServerLab, server: Server): Promise<void> {
  const round = rounds + 1;
  const chattr = 'c=chattr; [ -e /usr/bin/chattr ] || c=/usr/bin/chattr.away; "$c" -S "$1"; rm -f "$2"; sync';
  await server.run(chattr, { args: [`${record}/journal.${server.name}`, syncLink] });
  const seen = new Acknowledged(server);
  const loop = await startLoop(server, round, false);
  await seen.reach(20, loop);
  const place = { state, address, node: server.name, round };
  const copy = join(lab.directory, 'control');
  const acknowledged = await copyFrozen(lab, server, seen, copy);
  const { events } = await recoverCopy(copy, place);
  t.log(`with neither: ${acknowledged} acknowledged, ${acknowledged - events} of them missing`);
  t.true(events < acknowledged, 'without +S and sync -d an acknowledged event is missing');

  const before = seen.count;
  await server.run(['sync']);
  await copyFrozen(lab, server, seen, copy);
  t.true((await recoverCopy(copy, place)).events >= before, 'and sync brings it to the disk');
}
