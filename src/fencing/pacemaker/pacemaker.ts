import { exitCodes, FailoverError, messageOf } from '../../errors.js';
import { saidOf } from '../../host/action.js';
import { type Argv, commandText, type Host } from '../../host/host.js';
import { isMissing } from '../../host/running/command.js';
import { currentDeadline } from '../../host/running/deadline.js';
import { isNodeName, nodeNameRule } from '../../names.js';
import { notFenced, orByWord, type Prover } from '../prover.js';
import {
  type FenceAgent,
  readFenceDevices,
  readFenceEvents,
  readFenceLevels,
  readHistoryOwners,
  readNodeNames,
  readNodeStates,
  readUnfencing,
} from './answers.js';
import { hasHelper, whyRunsOn } from './devices.js';
import { type Cluster, judge, type Verdict, whyUnfit } from './verdict.js';

/** How often Pacemaker is asked again, ms. */
const intervalMs = 1000;

function metadataOf(agent: string): Argv {
  return ['stonith_admin', '--metadata', '--agent', agent];
}

/** What is asked, in this order. Every one of them only reads. */
function questions(resource: string, about: string) {
  const option = (name: string, otherwise = 'true'): Argv => [
    'crm_attribute',
    '--type',
    'crm_config',
    '--name',
    name,
    '--query',
    '--quiet',
    '--default',
    otherwise,
  ];
  const status = (xpath: string): Argv => ['cibadmin', '--query', '--xpath', xpath, '--no-children'];
  return {
    localName: ['crm_node', '--name'],
    // Since 3.0.2 the option has another name; a cluster may have either.
    stonithEnabled: option('stonith-enabled'),
    fencingEnabled: option('fencing-enabled'),
    requires: ['crm_resource', '--resource', resource, '--meta', '--get-parameter', 'requires'],
    nodes: status('//nodes/node'),
    states: status('//node_state'),
    histories: status('//node_state/lrm'),
    // Without --verbose it shows one event of each kind, and of those not the newest (seen: 2.1.5; lib/pacemaker/pcmk_fence.c, reduce_fence_history).
    events: ['stonith_admin', '--history', about, '--verbose', '--output-as=xml'],
    // Then, where a device has fenced it:
    devices: ['cibadmin', '--query', '--xpath', '//resources'],
    // Where there is no device, a node can be fenced by its own watchdog (sbd).
    watchdog: option('stonith-watchdog-timeout', '0'),
    agent: metadataOf('AGENT'),
    // Only where a device is none by itself:
    levels: ['cibadmin', '--query', '--xpath', '//fencing-topology'],
  } satisfies Record<string, Argv>;
}

/** `resource`: what Pacemaker is starting, whose `requires` is asked; see isResourceId. `here`: this node's name in the configuration. */
export function pacemakerProver(host: Host, resource: string, here: string): Prover {
  return {
    name: 'pacemaker',
    onlyLooks: true,
    asks: (node) => Object.values(questions(resource, node)).map((argv) => commandText(argv)),
    prove: async (suspect, signal) => {
      const { node, address } = suspect;
      if (!isNodeName(node)) throw notFenced(suspect, nodeNameRule, orByWord(address));
      return untilProved(
        host,
        signal,
        async () => orRunsOn(host, judge(await ask(host, resource, node), suspect, here), node),
        (because) => notFenced(suspect, because, hintOf(address)),
      );
    },
  };
}

/** What keeps Pacemaker from proving anything on this node, as clauses, but for what depends on a resource; undefined: it does not run here. */
export async function pacemakerHere(host: Host, here: string): Promise<readonly string[] | undefined> {
  const argvs = questions('', '');
  try {
    const named = await host.run(argvs.localName, { short: true });
    if (named.exitCode !== 0) return undefined;
    const unfit = whyUnfit(
      { localName: named.stdout.trim(), enabled: await enabledIn(host, argvs), requires: '' },
      here,
    );
    const runsOn = unfit === undefined ? await whyRunsOnHere(host) : undefined;
    const alone = unfit === undefined ? await whyNobodyFences(host) : undefined;
    return [unfit, runsOn, alone].filter((one) => one !== undefined);
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (error instanceof FailoverError && error.code === 'NOT_FENCED') return [error.message];
    throw error;
  }
}

async function whyNobodyFences(host: Host): Promise<string | undefined> {
  const { devices, watchdog } = questions('', '');
  if ((await answerOf(host, devices, readFenceDevices)).agents.length > 0) return undefined;
  return Number.parseInt(await answerOf(host, watchdog, word), 10) !== 0
    ? undefined
    : 'the cluster has no fence device, so that no node can be fenced';
}

async function enabledIn(
  host: Host,
  argvs: Pick<ReturnType<typeof questions>, 'stonithEnabled' | 'fencingEnabled'>,
): Promise<string[]> {
  return [await answerOf(host, argvs.stonithEnabled, word), await answerOf(host, argvs.fencingEnabled, word)];
}

function hintOf(address: string): string {
  return `See "crm_mon -1" and "stonith_admin --history '*' --verbose". ${orByWord(address)}`;
}

/** What a device did proves nothing where it may have left the node running. */
async function orRunsOn(host: Host, verdict: Verdict, node: string): Promise<Verdict> {
  if (verdict.is !== 'proved' || !verdict.isByDevice) return verdict;
  const runsOn = await whyRunsOnHere(host, node);
  if (runsOn === undefined) return verdict;
  return {
    is: 'unproved',
    because: `${verdict.said}, and ${runsOn}. Switch it off, and say so to Pacemaker ("stonith_admin --confirm NODE"), or fence with a device that takes the power`,
  };
}

/** `node`: which was fenced; undefined: any. */
async function whyRunsOnHere(host: Host, node?: string): Promise<string | undefined> {
  const argvs = questions('', '');
  const devices = await answerOf(host, argvs.devices, readFenceDevices);
  const agents: FenceAgent[] = [];
  for (const agent of devices.agents)
    agents.push({ agent, isUnfencing: await answerOf(host, metadataOf(agent), readUnfencing) });
  // cibadmin ends with 105 where there is no topology.
  const levels = hasHelper(devices)
    ? await answerOf(host, argvs.levels, readFenceLevels, /No such device or address/)
    : [];
  return whyRunsOn(devices, agents, levels, node);
}

/** Asks until it is proved, or is not, or the time is over: Pacemaker may be about to fence. Returns what was proved. */
async function untilProved(
  host: Host,
  signal: AbortSignal,
  look: () => Promise<Verdict>,
  failure: (because: string) => FailoverError,
): Promise<string> {
  const deadline = currentDeadline();
  for (;;) {
    const verdict = await look();
    if (verdict.is === 'proved') return verdict.said;
    if (verdict.is === 'unproved') throw failure(verdict.because);
    deadline.doing = `it waited for ${verdict.what}`;
    if (signal.aborted) throw interrupted(verdict.what);
    // No second look would be done in time.
    if (deadline.left <= 2 * intervalMs)
      throw failure(
        `${verdict.what} was waited for, for ${deadline.limit.seconds} s (${deadline.limit.key})`,
      );
    await host.delay(intervalMs);
  }
}

function interrupted(what: string): FailoverError {
  return new FailoverError(`Interrupted while waiting for ${what}`, {
    code: 'INTERRUPTED',
    exitCode: exitCodes.stepFailed,
    operation: 'proving that the owner is down',
    hint: 'Run the same command again.',
  });
}

async function ask(host: Host, resource: string, about: string): Promise<Cluster> {
  const argvs = questions(resource, about);
  const localName = await answerOf(host, argvs.localName, word);
  const enabled = await enabledIn(host, argvs);
  const requires = await answerOf(host, argvs.requires, anyWord, /Attribute 'requires' not found/);
  // The history before the states: a fencing between the two is seen in the second, and asked about again.
  const events = await answerOf(host, argvs.events, readFenceEvents);
  return {
    localName,
    enabled,
    requires,
    nodes: await answerOf(host, argvs.nodes, readNodeNames),
    states: await answerOf(host, argvs.states, readNodeStates),
    // Where none has any, cibadmin finds nothing.
    withHistory: await answerOf(host, argvs.histories, readHistoryOwners),
    events,
  };
}

/** `none`: what a tool says, with some exit code, where it has nothing to print. Throws COMMAND_FAILED (exit code 4), COMMAND_MISSING. */
async function answerOf<T>(host: Host, argv: Argv, read: (text: string) => T, none?: RegExp): Promise<T> {
  const result = await host.run(argv);
  const isNone = none?.test(result.stderr) === true;
  if (result.exitCode !== 0 && !isNone)
    throw unanswered(argv, `exited with ${result.exitCode}: ${saidOf(result)}`);
  try {
    return read(result.stdout);
  } catch (error) {
    throw unanswered(argv, `printed what cannot be read: ${messageOf(error).split('\n')[0] ?? ''}`);
  }
}

/** One line of one word. Throws. */
function word(text: string): string {
  const line = anyWord(text);
  if (line === '') throw new Error('nothing');
  return line;
}

function anyWord(text: string): string {
  const line = text.trim();
  if (/\s/u.test(line)) throw new Error('more than one word');
  return line;
}

/** Pacemaker that does not answer proves nothing. */
function unanswered(argv: Argv, what: string): FailoverError {
  return new FailoverError(`"${commandText(argv)}" ${what}`, {
    code: 'NOT_FENCED',
    exitCode: exitCodes.notOwner,
    operation: commandText(argv),
    hint: 'See that Pacemaker runs on this node ("crm_mon -1"), and that --resource names one of its resources.',
  });
}
