import { randomUUID } from 'node:crypto';
import type { FloatingIp, Sharing } from '../../config/config.js';
import { FailoverError, messageOf } from '../../errors.js';
import type { Action } from '../../host/action.js';
import { isTimeout } from '../../host/running/deadline.js';
import { waitUntil } from '../../host/running/wait.js';
import {
  type GraceAnswer,
  type GraceCall,
  readAnswer,
  withdrawCall,
  writeCall,
} from '../../record/barrier.js';
import { proverOf } from '../access/vouching.js';
import type { FailoverContext } from '../context.js';
import { awaitDeadLocks, enterSharedGrace } from './join.js';

type FailoverAction = Action<FailoverContext>;

const lookMs = 200;
/** A node that looks for calls has answered by then: whoever has not may be down, which is asked. */
const lateSeconds = 5;

/** Calls every other node that exports the file systems into grace, as early as it can be. The answers: `awaitEveryNode`. */
export function callEveryNode({ address }: FloatingIp, sharing: Sharing): FailoverAction {
  return {
    commands: [
      `# sm_${address}/barrier calls each other node of ${listed(sharing)} into grace: "nlm-failover join-grace" answers there`,
    ],
    byHand: [`# on each other node of ${listed(sharing)}: the server into grace, before another step`],
    repeats: true,
    check: () => false,
    act: async (context) => {
      const { session, config, collected } = context;
      const call: GraceCall = {
        id: randomUUID(),
        by: config.node,
        epoch: session.epoch,
        dead: deadHosts(context),
      };
      session.assertStillOwner();
      writeCall(session.opened.way, call);
      collected.graceCall = call;
      return undefined;
    },
    verify: () => undefined,
  };
}

/** This node itself enters grace, where nothing else of the step has it do so. */
export function joinHere(): FailoverAction {
  return {
    commands: ['# this node enters grace too'],
    repeats: true,
    check: () => false,
    act: async (context) => enterSharedGrace(context.driver, context),
    verify: () => undefined,
  };
}

/**
 * Waits until each node has answered the call: it is in grace, and its storage holds no lock of a node that died. A node that is
 * proved to be down need not; one that does not answer in time is named, and nobody waits for it any longer.
 */
export function awaitEveryNode(ip: FloatingIp, sharing: Sharing): FailoverAction {
  return {
    commands: [`# wait until each of ${listed(sharing)} is in grace, at the longest [timeouts].barrier`],
    byHand: [],
    repeats: true,
    check: ({ collected }) => collected.graceCall === undefined,
    act: async (context) => {
      const { collected } = context;
      const call = collected.graceCall;
      if (call === undefined) return undefined;
      try {
        return await awaitAnswers(context, ip, sharing, call);
      } finally {
        collected.graceCall = undefined;
        withdrawCall(context.session.opened.way, call);
      }
    },
    verify: () => undefined,
  };
}

async function awaitAnswers(
  context: FailoverContext,
  ip: FloatingIp,
  sharing: Sharing,
  call: GraceCall,
): Promise<string | undefined> {
  const { host, config, session, collected } = context;
  const { barrier: seconds } = config.timeouts;
  const began = performance.now();
  const down = new Map<string, string>();
  const takenFrom = session.takenFrom;
  if (takenFrom !== undefined) down.set(takenFrom, 'it is down');
  const answers = () =>
    sharing.nodes
      .filter((node) => node !== config.node && !down.has(node))
      .map((node) => ({ node, answer: readAnswer(session.opened.way, node) }));
  const isJoined = (answer: GraceAnswer | undefined) => answer?.id === call.id && answer.state === 'joined';
  const missing = () => answers().filter(({ answer }) => !isJoined(answer));
  const own = awaitDeadLocks(host, ip, call.dead, seconds);
  const asking = new AbortController();
  const asked = askWhoIsDown(context, () => missing().map(({ node }) => node), down, asking.signal);
  try {
    await waitUntil(host, 'every node to enter grace', () => missing().length === 0, {
      seconds,
      intervalMs: lookMs,
    });
  } finally {
    asking.abort();
    await asked;
  }
  const left = await own;
  collected.outOfGrace.push(
    ...missing().map(({ node, answer }) =>
      notJoined(node, answer?.id === call.id ? answer : undefined, seconds),
    ),
    ...(left === undefined ? [] : [`${left}: who reclaims may be refused`]),
  );
  const joined = answers().flatMap(({ node, answer }) => (isJoined(answer) ? [node] : []));
  const took = ((performance.now() - began) / 1000).toFixed(1);
  return [
    ...(joined.length === 0 ? [] : [`in grace after ${took} s: ${joined.join(', ')}`]),
    ...[...down].map(([node, why]) => `not waited for ${node}: ${why}`),
    ...collected.outOfGrace,
  ].join('; ');
}

/** Who does not answer may be down: whoever only knows of that, and ends nobody, is asked, once of each. */
async function askWhoIsDown(
  context: FailoverContext,
  missing: () => readonly string[],
  down: Map<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const prover = proverOf(context);
  if (prover?.onlyLooks !== true) return;
  const { session, floatingIp, host } = context;
  await host.delay(lateSeconds * 1000, signal).catch(() => undefined);
  if (signal.aborted) return;
  for (const node of missing()) {
    const lastWrite = readAnswer(session.opened.way, node)?.at ?? 0;
    const suspect = { address: floatingIp.address, node, epoch: session.epoch, lastWrite };
    try {
      down.set(node, await prover.prove(suspect, signal));
    } catch (error) {
      if (!(error instanceof FailoverError) || isTimeout(error)) return;
      context.log('info', { node, why: messageOf(error) }, `${node} is not proved to be down`);
    }
  }
}

/** The hosts whose locks may be left: the node that has not released the address, and is down. */
function deadHosts({ session }: FailoverContext): string[] {
  const node = session.takenFrom;
  if (node === undefined) return [];
  return [readAnswer(session.opened.way, node)?.host ?? node];
}

function notJoined(node: string, answer: GraceAnswer | undefined, seconds: number): string {
  const why =
    answer === undefined
      ? `has not answered within ${seconds} s ([timeouts].barrier)`
      : answer.state === 'failed'
        ? `could not: ${answer.said}`
        : `is in grace, and ${answer.said}`;
  return `node ${node} ${why}; what its clients locked meanwhile may be what others held`;
}

function listed({ nodes }: Sharing): string {
  return nodes.join(', ');
}
