import { limitOf } from '../../failover/limits.js';
import { recordLocation, whyUnreachable } from '../../failover/access/location.js';
import { failed } from '../../host/action.js';
import type { Argv, Host } from '../../host/host.js';
import { lateSeconds } from '../../failover/sharing/barrier.js';
import { whoLooks } from '../../failover/sharing/presence.js';
import { within } from '../../host/running/deadline.js';
import { type GraceAnswer, readAnswer } from '../../record/barrier.js';
import { holdRecordDirectory } from '../../record/safe-files/record-directory.js';
import { all, childrenOf, type Element, parse } from '../pacemaker/cib/xml.js';
import { readCib } from '../pacemaker/cluster.js';
import { resourceId } from '../pacemaker/model.js';
import type { PlanNode } from '../pacemaker/plan.js';
import { configuredNodes, nodeAgent, type NodeAgent, sharedAddresses } from './plan.js';

/** What a node did when it was called into grace last, and for which address. */
export interface LastGrace extends Pick<GraceAnswer, 'state' | 'said' | 'at'> {
  readonly address: string;
}

export interface NodeStatus {
  readonly node: string;
  readonly cluster: 'online' | 'standby' | 'offline' | 'unclean' | 'unknown';
  /** The node attribute: whether addresses can be served there. */
  readonly isWell: boolean;
  /** Whether it answers that it looks for calls into grace (join-grace --watch), whoever has that run; undefined: it could not be asked. */
  readonly watches: boolean | undefined;
  readonly lastGrace: LastGrace | undefined;
  /** Those that the cluster has there. */
  readonly addresses: readonly string[];
}

export interface HaStatus {
  readonly nodes: readonly NodeStatus[];
  /** What is not as it should be, as sentences. */
  readonly wrong: readonly string[];
}

/**
 * The nodes that export the shared file systems, as the cluster has them, whether each looks for calls into grace, which it is asked, and what
 * it answered last (sm_ADDRESS/barrier.NODE). Throws CLUSTER_SILENT, COMMAND_FAILED.
 */
export async function haStatus(node: PlanNode): Promise<HaStatus> {
  const { host, config } = node;
  const agent = nodeAgent(node);
  const limit = limitOf('ganesha-ha status', config);
  const { cib, seen } = await within(limit, async () => ({
    cib: await readCib(host),
    seen: await monitored(host),
  }));
  const addresses = sharedAddresses(config).map(({ address }) => address);
  const answers = await within(limit, async () => lastGraces(node));
  const isUp = (name: string) => ['online', 'standby'].includes(standing(seen, name));
  const looking = await within(limit, () => lookers(node, configuredNodes(config).filter(isUp)));
  const nodes = configuredNodes(config).map((name): NodeStatus => ({
    node: name,
    cluster: standing(seen, name),
    isWell: attributeOf(cib, name, agent) === '1',
    watches: looking?.has(name),
    lastGrace: answers.of.get(name),
    addresses: addresses.filter((address) => placesOf(seen, resourceId(address)).includes(name)),
  }));
  const served = new Set(nodes.flatMap((one) => one.addresses));
  const cloned = new Set(placesOf(seen, agent.primitive));
  return {
    nodes,
    wrong: [
      ...nodes.flatMap(({ node: name, cluster, isWell }) =>
        cluster !== 'online'
          ? [`${name} is ${cluster === 'unknown' ? 'no node of the cluster' : cluster}`]
          : isWell && cloned.has(name)
            ? []
            : [
                `${name} can serve no address: ${cloned.has(name) ? `${agent.attribute} is not 1` : `${agent.primitive} does not run there`}`,
              ],
      ),
      ...nodes
        .filter(({ node: name, watches }) => watches === false && isUp(name))
        .map(
          ({ node: name }) =>
            `${name} has not answered within ${lateSeconds} s that it looks for calls into grace: releases and takeovers wait for it in vain`,
        ),
      ...addresses.filter((address) => !served.has(address)).map((address) => `${address} is on no node`),
      ...answers.wrong,
    ],
  };
}

/** Asked where the first record is that can be reached: each node looks at all of them. */
async function lookers(
  { host, config }: PlanNode,
  awaited: readonly string[],
): Promise<ReadonlySet<string> | undefined> {
  for (const ip of sharedAddresses(config)) {
    if (whyUnreachable(host, ip) !== undefined) continue;
    const found = await whoLooks(host, ip, awaited);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function monitored(host: Host): Promise<Element> {
  const argv: Argv = ['crm_mon', '--one-shot', '--output-as', 'xml'];
  const answer = await host.run(argv, { short: true });
  if (answer.exitCode !== 0) throw failed(argv, answer);
  return parse(answer.stdout, argv.join(' '));
}

function standing(seen: Element, name: string): NodeStatus['cluster'] {
  const found = childrenOf(seen, 'nodes')
    .flatMap((nodes) => childrenOf(nodes, 'node'))
    .find(({ attributes }) => attributes['name'] === name)?.attributes;
  if (found === undefined) return 'unknown';
  if (found['unclean'] === 'true') return 'unclean';
  if (found['online'] !== 'true') return 'offline';
  return ['standby', 'standby_onfail', 'maintenance', 'pending'].some((key) => found[key] === 'true')
    ? 'standby'
    : 'online';
}

/** Where a resource, or an instance of a clone (ID:NUMBER), is started and has not failed. */
function placesOf(seen: Element, id: string): string[] {
  return all(seen)
    .filter(
      ({ name, attributes }) =>
        name === 'resource' &&
        attributes['id']?.replace(/:\d+$/, '') === id &&
        attributes['active'] === 'true' &&
        attributes['failed'] !== 'true',
    )
    .flatMap((one) => childrenOf(one, 'node'))
    .flatMap(({ attributes: { name } }) => name ?? []);
}

/** A transient attribute, from the status section of the CIB. */
function attributeOf(cib: Element, name: string, { attribute }: NodeAgent): string | undefined {
  const state = all(cib).find((one) => one.name === 'node_state' && one.attributes['uname'] === name);
  return (state === undefined ? [] : childrenOf(state, 'transient_attributes'))
    .flatMap(all)
    .find((one) => one.name === 'nvpair' && one.attributes['name'] === attribute)?.attributes['value'];
}

/** The newest answer of each node, by its own clock, over all addresses. */
function lastGraces({ host, config }: PlanNode): {
  readonly of: ReadonlyMap<string, LastGrace>;
  readonly wrong: readonly string[];
} {
  const of = new Map<string, LastGrace>();
  const wrong = new Set<string>();
  for (const ip of sharedAddresses(config)) {
    const why = whyUnreachable(host, ip);
    if (why !== undefined) wrong.add(`What the nodes have answered cannot be seen here: ${why}`);
    const held =
      why === undefined
        ? holdRecordDirectory(recordLocation(host, ip).directory, { create: false })
        : undefined;
    if (held === undefined) continue;
    try {
      for (const name of ip.shared?.nodes ?? []) {
        const answer = readAnswer(held.way, name);
        if (answer === undefined || answer.at <= (of.get(name)?.at ?? -1)) continue;
        const { state, said, at } = answer;
        of.set(name, { address: ip.address, state, said, at });
      }
    } finally {
      held.close();
    }
  }
  return { of, wrong: [...wrong] };
}
