import { randomUUID } from 'node:crypto';
import type { FloatingIp, Sharing } from '../../config/config.js';
import { FailoverError, messageOf } from '../../errors.js';
import type { Action } from '../../host/action.js';
import type { Host } from '../../host/host.js';
import { isTimeout } from '../../host/running/deadline.js';
import { waitUntil } from '../../host/running/wait.js';
import type { LockManager } from '../../lockmanager/port.js';
import {
  type GraceAnswer,
  type GraceCall,
  readAnswer,
  readCall,
  withdrawCall,
  writeCall,
} from '../../record/barrier.js';
import { notedConfiguration } from '../../rundir/configuration.js';
import { runDirectory } from '../../rundir/serving.js';
import { recordReachable } from '../access/location.js';
import { proverOf } from '../access/vouching.js';
import type { Collected, FailoverContext } from '../context.js';
import { awaitDeadLocks, enterSharedGrace, roundPart } from './join.js';

type FailoverAction = Action<FailoverContext>;

const lookMs = 200;
/** Once a node is late, or only the storage is waited for. Each look reads several small files, on a cluster file system, and the wait may be long. */
const lateLookMs = 1000;
/** A node that looks for calls has answered by then: whoever has not may be down, which is asked. */
export const lateSeconds = 5;
/** Of the longest that a grace may last: so much of it every one lasts, whatever a lock manager adds to it. */
const surePart = 1 / 2;

/** Calls every other node that exports the file systems into grace, as early as it can be. The answers: `awaitEveryNode`. */
export function callEveryNode(floatingIp: FloatingIp, sharing: Sharing): FailoverAction {
  const { address } = floatingIp;
  return {
    commands: [
      `# sm_${address}/barrier calls each other node of ${listed(sharing)} into grace: "nlm-failover join-grace" answers there`,
    ],
    byHand: [
      `# on each of ${listed(sharing)} that is not dead, and here: the next two lines that begin with "busctl" and "until"`,
    ],
    repeats: true,
    check: (context) => isNothingHere(context),
    act: async (context) => {
      const { session, config, collected, host } = context;
      if (session.record === undefined && recordReachable(host, floatingIp)) {
        collected.outOfGrace.push(noRecordText(floatingIp));
        return undefined;
      }
      const call: GraceCall = {
        id: randomUUID(),
        round: 1,
        by: config.node,
        epoch: session.epoch,
        dead: deadHosts(context),
      };
      session.assertStillOwner();
      // Whoever answers at once is in grace from then on, however long this node itself takes.
      const since = performance.now();
      await session.withReserve(async () => writeCall(session.opened.way, call));
      collected.graceCall = { call, since };
      return undefined;
    },
    verify: () => undefined,
  };
}

/** release, of what an adopt that was killed has noted, and no more: nobody is to be asked, and what is here goes all the same. */
function noRecordText({ address, stateDirectory }: FloatingIp): string {
  return `there is no record of ${address} in ${stateDirectory}, as where adopt was ended before it had made one: no other node was called into grace, and nobody can be notified; what its clients held here is given up, and others may lock it`;
}

/** There is no record, or none of this node's, and no takeover has had anything of the address here: see release.ts. */
export function isNothingHere({ session, host, floatingIp }: FailoverContext): boolean {
  return (
    session.record === undefined && notedConfiguration(runDirectory(host), floatingIp.address) === undefined
  );
}

/** This node itself enters grace, where nothing else of the step has it do so. */
export function joinHere({ shared }: LockManager): FailoverAction {
  const join = shared?.joinGrace();
  return {
    commands: join?.commands ?? [],
    ...(join?.byHand === undefined ? {} : { byHand: join.byHand }),
    ...(join?.programs === undefined ? {} : { programs: join.programs }),
    repeats: true,
    check: (context) => isNothingHere(context),
    act: async (context) => enterSharedGrace(context.driver, context),
    verify: () => undefined,
  };
}

/**
 * Waits until each node has answered the call: it is in grace, and its storage holds no lock of a node that died. A node that is
 * proved to be down need not; one that does not answer in time is named, and nobody waits for it any longer. From then on the locks are nobody's,
 * so the call stands: `until` what, for people.
 */
export function awaitEveryNode(ip: FloatingIp, sharing: Sharing, until = 'B-3 is done'): FailoverAction {
  return {
    commands: [
      `# wait until each of ${listed(sharing)} is in grace, at the longest [timeouts].barrier`,
      `# the call stands: every node stays in grace until ${until}, at the longest [timeouts].barrier`,
    ],
    byHand: [],
    repeats: true,
    check: ({ collected }) => collected.graceCall === undefined,
    act: async (context) => {
      const { collected } = context;
      const called = collected.graceCall;
      if (called === undefined) return undefined;
      try {
        return await awaitAnswers(context, ip, sharing, called);
      } finally {
        collected.graceCall = undefined;
      }
    },
    verify: () => undefined,
  };
}

async function awaitAnswers(
  context: FailoverContext,
  ip: FloatingIp,
  sharing: Sharing,
  { call, since }: NonNullable<Collected['graceCall']>,
): Promise<string | undefined> {
  const { host, config, session, collected, signal } = context;
  const { barrier: seconds } = config.timeouts;
  const began = performance.now();
  const down = new Map<string, string>();
  if (session.takenFrom !== undefined) down.set(session.takenFrom, 'it is down');
  const earlier = session.deadOwners.filter((node) => !down.has(node));
  const standing = new StandingCall(context, call, since);
  // Who was down when an earlier run, or the owner before this one, took the address may be back, and give locks away; not who says nothing at all.
  const leaveTheSilent = () => {
    for (const node of earlier)
      if (!standing.isOf(readAnswer(session.opened.way, node)))
        down.set(node, 'it was down, and answers nothing');
  };
  const answers = () =>
    sharing.nodes
      .filter((node) => node !== config.node && !down.has(node))
      .map((node) => ({ node, answer: readAnswer(session.opened.way, node) }));
  const missing = () => answers().filter(({ answer }) => !standing.isJoined(answer));
  const own = awaitDeadLocks(host, ip, call.dead, seconds);
  const asking = new AbortController();
  const asked = Promise.all([
    askWhoIsDown(context, () => missing().map(({ node }) => node), down, asking.signal),
    lateOf(host, asking.signal).then((isLate) => isLate && leaveTheSilent()),
  ]);
  let left: string | undefined;
  try {
    const look = () => {
      standing.keep();
      return missing().length === 0 || signal.aborted;
    };
    const wait = (longest: number, intervalMs: number) =>
      waitUntil(host, 'every node to enter grace', look, { seconds: longest, intervalMs });
    const early = Math.min(seconds, lateSeconds);
    if (!(await wait(early, lookMs))) await wait(seconds - early, lateLookMs);
    left = await standing.keptDuring(own);
  } finally {
    asking.abort();
    await asked;
    if (signal.aborted) standing.withdraw();
    else await standing.leave();
  }
  await standing.renewed();
  collected.everywhereUntil = standing.everywhereUntil();
  // The runner says so.
  if (signal.aborted) return undefined;
  leaveTheSilent();
  const late = answers().filter(({ answer }) => !standing.isJoined(answer, 1));
  collected.outOfGrace.push(
    ...late.map(({ node, answer }) => notJoined(node, standing.isOf(answer) ? answer : undefined, seconds)),
    ...(left === undefined ? [] : [`${left}: who reclaims may be refused`]),
  );
  const joined = answers().flatMap(({ node, answer }) => (standing.isJoined(answer, 1) ? [node] : []));
  const took = ((performance.now() - began) / 1000).toFixed(1);
  const said = [
    ...(joined.length === 0 ? [] : [`in grace after ${took} s: ${joined.join(', ')}`]),
    ...[...down].map(([node, why]) => `not waited for ${node}: ${why}`),
    ...collected.outOfGrace,
  ];
  return said.length === 0 ? undefined : said.join('; ');
}

/**
 * The call of one operation, as long as it waits. Whoever has joined is called anew before a grace can be over: the last one may be late, and
 * the locks of a dead node may stay long. What another node has put in its place, or taken away, is put right while this one is the owner.
 */
class StandingCall {
  readonly #context: FailoverContext;
  #call: GraceCall;
  #roundBegan: number;
  readonly #renewals: Promise<unknown>[] = [];

  constructor(context: FailoverContext, call: GraceCall, since: number) {
    this.#context = context;
    this.#call = call;
    this.#roundBegan = since;
  }

  /** To be called at each look. */
  keep(): void {
    const { session, driver } = this.#context;
    const { way } = session.opened;
    const isOver = performance.now() - this.#roundBegan > driver.graceSeconds() * roundPart * 1000;
    if (!isOver && readCall(way)?.id === this.#call.id) return;
    session.assertStillOwner();
    if (isOver) {
      this.#call = { ...this.#call, round: this.#call.round + 1 };
      this.#roundBegan = performance.now();
      // A lock call that is under way may delay it: the others are looked at meanwhile.
      this.#renewals.push(
        enterSharedGrace(driver, this.#context).then(
          () => undefined,
          (error: unknown) => error,
        ),
      );
    }
    writeCall(way, this.#call);
  }

  /** Keeps it while something else is waited for. */
  async keptDuring<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const failed = new Promise<never>((_, reject) => {
      timer = setInterval(() => {
        try {
          this.keep();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(messageOf(error)));
        }
      }, lateLookMs);
    });
    try {
      return await Promise.race([work, failed]);
    } finally {
      clearInterval(timer);
    }
  }

  /** That this node has entered grace anew each time. Throws FailoverError. */
  async renewed(): Promise<void> {
    for (const error of await Promise.all(this.#renewals)) if (error !== undefined) throw error;
  }

  /** Until when the grace of whoever has joined in this round surely lasts, by performance.now(). */
  everywhereUntil(): number {
    return this.#roundBegan + this.#context.driver.graceSeconds() * surePart * 1000;
  }

  isOf(answer: GraceAnswer | undefined): answer is GraceAnswer {
    return answer?.id === this.#call.id;
  }

  /** `late`: by how many rounds it may be. */
  isJoined(answer: GraceAnswer | undefined, late = 0): boolean {
    return this.isOf(answer) && answer.state === 'joined' && answer.round >= this.#call.round - late;
  }

  /** It stands, though nobody waits for it any more. Where that cannot be written nobody stays in grace for it, as with a withdrawn one. */
  async leave(): Promise<void> {
    const { session, log } = this.#context;
    const { way } = session.opened;
    try {
      if (readCall(way)?.id !== this.#call.id) return;
      await session.withReserve(async () => writeCall(way, { ...this.#call, stands: true }));
    } catch (error) {
      if (!(error instanceof FailoverError)) throw error;
      log('warn', { error: error.message }, 'no node stays in grace until its clients can reclaim');
    }
  }

  /** Where the storage has gone nothing can be: the next call takes its place. */
  withdraw(): void {
    try {
      withdrawCall(this.#context.session.opened.way, this.#call);
    } catch (error) {
      if (!(error instanceof FailoverError)) throw error;
      this.#context.log('warn', { error: error.message }, 'the call into grace stands');
    }
  }
}

/** B-3 is done: what is left of the grace is for who was notified. */
export function withdrawStanding({ session, config, log }: FailoverContext): void {
  try {
    const { way } = session.opened;
    const call = readCall(way);
    if (call?.stands === true && call.by === config.node) withdrawCall(way, call);
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    log('warn', { error: error.message }, 'the call into grace stands');
  }
}

/** Of an operation that ended before it waited: nobody is called any longer. */
export function withdrawLeft(context: FailoverContext): void {
  const { collected, session } = context;
  const { graceCall } = collected;
  collected.graceCall = undefined;
  if (graceCall !== undefined && session.record !== undefined)
    new StandingCall(context, graceCall.call, graceCall.since).withdraw();
}

/** Who does not answer may be down: whoever only knows of that, and ends nobody, is asked, of each, until it is so or has joined. */
async function askWhoIsDown(
  context: FailoverContext,
  missing: () => readonly string[],
  down: Map<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const prover = proverOf(context);
  if (prover?.onlyLooks !== true) return;
  const { session, floatingIp, host } = context;
  const isLate = () => lateOf(host, signal);
  const ask = async (node: string): Promise<void> => {
    while (missing().includes(node) && !signal.aborted) {
      const lastWrite = readAnswer(session.opened.way, node)?.at ?? 0;
      // Whatever it lost when it was fenced: where it is back it gives locks away.
      const suspect = {
        address: floatingIp.address,
        node,
        epoch: session.epoch,
        lastWrite,
        mustBeDown: true as const,
      };
      try {
        down.set(node, await prover.prove(suspect, signal));
      } catch (error) {
        if (!(error instanceof FailoverError) || isTimeout(error)) return;
        context.log('info', { node, why: messageOf(error) }, `${node} is not proved to be down`);
        await isLate();
      }
    }
  };
  if (await isLate()) await Promise.all(missing().map(ask));
}

/** That so long has passed, and nobody has ended the wait. */
async function lateOf(host: Host, signal: AbortSignal): Promise<boolean> {
  await host.delay(lateSeconds * 1000, signal).catch(() => undefined);
  return !signal.aborted;
}

/** The hosts whose locks may be left: the nodes that have not released the address, and were down when it was taken from them. */
function deadHosts({ session }: FailoverContext): string[] {
  return session.deadOwners.map((node) => readAnswer(session.opened.way, node)?.host ?? node);
}

function notJoined(node: string, answer: GraceAnswer | undefined, seconds: number): string {
  const within = `within ${seconds} s ([timeouts].barrier)`;
  const why =
    answer === undefined
      ? `has not answered ${within}`
      : {
          called: `has heard the call, and was not in grace ${within}`,
          failed: `could not: ${answer.said}`,
          'in-grace': `is in grace, and ${answer.said}`,
          joined: `was in grace, and has not renewed it ${within}`,
        }[answer.state];
  return `node ${node} ${why}; what its clients locked meanwhile may be what others held`;
}

function listed({ nodes }: Sharing): string {
  return nodes.join(', ');
}
