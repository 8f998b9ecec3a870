import type { Config, FloatingIp } from '../../config/config.js';
import { ownConstraints, resourceIn } from '../pacemaker/foreign.js';
import { addressesOf } from '../pacemaker/cib/ours.js';
import { section } from '../pacemaker/cib/merge.js';
import { all, childrenOf, type Element, idOf } from '../pacemaker/cib/xml.js';
import {
  type Clone,
  constraintIds,
  preferenceId,
  resourceId,
  isSerialized,
  type Tie,
  tieId,
} from '../pacemaker/model.js';
import { type ClusterPlan, planCluster, type PlanNode } from '../pacemaker/plan.js';
import { preferRemarks, type Remark } from '../pacemaker/remarks.js';
import { ownProvider } from '../pacemaker/resource.js';
import { shallowMonitor } from '../pacemaker/timeouts.js';
import { unfit } from '../pacemaker/unfit.js';
import { homesOf, scoresOf } from './homes.js';

/** What watches the daemon on each node, for a cluster. */
export interface NodeAgent {
  readonly type: string;
  readonly parameters: readonly (readonly [string, string])[];
  /** The clone of it. */
  readonly clone: string;
  readonly primitive: string;
  /** The node attribute that is 1 where an address can be served: callouts/ocf has the same. */
  readonly attribute: string;
}

/** The agent of the driver that is configured. Throws CLUSTER_UNFIT where there is none, or no shared file system. */
export function nodeAgent({ drivers, config }: Pick<PlanNode, 'drivers' | 'config'>): NodeAgent {
  const { file, lockManager } = config;
  if (sharedAddresses(config).length === 0)
    throw unfit(
      `${file} has no [[shared_filesystem]]: what moves with its address is served by one node, and needs no agent on the others`,
      'Use "nlm-failover pacemaker", or see SHARED FILE SYSTEMS in nlm-failover(8).',
    );
  const agent = drivers.find(({ name }) => name === lockManager.driver)?.nodeAgent?.({ lockManager });
  if (agent === undefined)
    throw unfit(
      `No agent watches the daemon of the driver "${lockManager.driver}"`,
      'See SHARED FILE SYSTEMS in nlm-failover(8).',
    );
  const primitive = `nfs-${agent.type}`;
  return { ...agent, primitive, clone: `${primitive}-clone`, attribute: `nlm-failover-${agent.type}` };
}

export function sharedAddresses({ floatingIps }: Pick<Config, 'floatingIps'>): readonly FloatingIp[] {
  return floatingIps.filter(({ shared }) => shared !== undefined);
}

/** The nodes that export the shared file systems, in the order of the configuration. */
export function configuredNodes(config: Pick<Config, 'floatingIps'>): readonly string[] {
  return sharedAddresses(config)[0]?.shared?.nodes ?? [];
}

const [longStart, longStop, deepMonitor] = [120, 120, 60];

export interface NodesPlanOptions {
  readonly nodes: readonly string[];
  /** The systemd unit by which the agent starts and stops the daemon; undefined: as the cluster has it. */
  readonly unit: string | undefined;
  /** What the cluster has; undefined where none answers. */
  readonly cib: Element | undefined;
}

/**
 * What the cluster is to have: a clone of the agent on these nodes; each address as `nlm-failover pacemaker` has it, with a score for
 * every node, and only where the clone runs and says that all is well. Throws CLUSTER_UNFIT, DRIVER_UNSUITED.
 */
export async function planNodes(
  node: PlanNode,
  { nodes, unit, cib }: NodesPlanOptions,
): Promise<ClusterPlan> {
  const agent = nodeAgent(node);
  const floatingIps = sharedAddresses(node.config);
  const { config, remarks } = await planCluster(node, {
    floatingIps,
    prefer: undefined,
    isThere: () => false,
  });
  const homes = homesOf({
    addresses: floatingIps.map(({ address }) => address),
    nodes,
    current: (address) => (cib === undefined ? undefined : currentHome(cib, address)),
  });
  const { resources } = config;
  const preferences = [...homes].flatMap(([address, home]) =>
    scoresOf(home, nodes).map(([name, score]) => {
      const resource = resourceId(address);
      return { id: preferenceId(resource, name), resource, node: name, score };
    }),
  );
  const configFile = config.resources
    .flatMap((resource) => ('parameters' in resource ? resource.parameters : []))
    .filter(([name]) => name === 'config')
    .slice(0, 1);
  const wanted = {
    resources: [
      cloneOf(agent, { more: configFile, unit: unit ?? currentUnit(cib, agent), nodes }),
      ...resources,
    ],
    orders: config.orders,
    preferences,
    ties: [
      neverWhere(
        agent.clone,
        nodes.map((name) => ['#uname', name]),
      ),
      ...resources.flatMap(({ id }) => tiesOf(id, agent)),
    ],
  };
  const ids = new Set(constraintIds(wanted));
  const there =
    cib === undefined
      ? []
      : ownConstraints(
          cib,
          wanted.resources.map(({ id }) => id),
        );
  const gone = there.map(idOf).filter((id) => !ids.has(id) && !isSerialized(id));
  return { config: { ...wanted, gone }, remarks: [...remarks, ...absentNodes(cib, nodes)] };
}

function cloneOf(
  { clone, primitive, type, parameters }: NodeAgent,
  {
    more,
    unit,
    nodes,
  }: {
    readonly more: readonly (readonly [string, string])[];
    readonly unit: string | undefined;
    readonly nodes: readonly string[];
  },
): Clone {
  // Where others start the daemon there is nothing to be done about it here, and calls are answered all the while.
  const onFail = unit === undefined ? 'ignore' : 'restart';
  return {
    id: clone,
    instance: {
      id: primitive,
      provider: ownProvider,
      type,
      parameters: [...parameters, ...more, ...(unit === undefined ? [] : [['unit', unit] as const])],
      operations: [
        { name: 'start', interval: 0, timeout: longStart },
        { name: 'stop', interval: 0, timeout: longStop },
        { name: 'monitor', interval: 10, timeout: 2 * shallowMonitor, onFail },
        { name: 'monitor', interval: 60, timeout: deepMonitor, depth: 10, onFail },
      ],
      // What is over is shown no longer, and what could not be started is tried again.
      meta: [['failure-timeout', '60s']],
    },
    meta: [
      ['clone-max', `${nodes.length}`],
      ['interleave', 'true'],
    ],
  };
}

/**
 * The attribute is set at the end of a start, so that no order of starts is needed; one would have every address wait for the clone on
 * every node (seen: crm_simulate of Pacemaker 2.1.5). The clone answers calls into grace: it stops after an address has been released, and
 * after it has been taken over elsewhere, which waits for the answer.
 */
function tiesOf(resource: string, { clone, attribute }: NodeAgent): Tie[] {
  return [
    neverWhere(resource, [[attribute, '1']]),
    { kind: 'only-with', id: tieId('only-with', resource), resource, other: clone },
    { kind: 'stops-first', id: tieId('stops-first', resource), resource, other: clone },
    { kind: 'starts-first', id: tieId('starts-first', resource), resource, other: clone },
  ];
}

function neverWhere(resource: string, isNot: readonly (readonly [string, string])[]): Tie {
  return { kind: 'never-where', id: tieId('never-where', resource), resource, isNot };
}

/** The unit that the cluster has, which stays. */
function currentUnit(cib: Element | undefined, { primitive }: NodeAgent): string | undefined {
  const there = cib === undefined ? undefined : resourceIn(cib, primitive);
  return (there === undefined ? [] : childrenOf(there, 'instance_attributes'))
    .flatMap((set) => childrenOf(set, 'nvpair'))
    .find(({ attributes }) => attributes['name'] === 'unit')?.attributes['value'];
}

/** The node that the cluster prefers most for an address. */
function currentHome(cib: Element, address: string): string | undefined {
  const id = resourceId(address);
  const [best] = ownConstraints(cib, [id])
    .filter(({ attributes: { node, score } }) => node !== undefined && Number(score) > 0)
    .toSorted((one, other) => Number(other.attributes['score']) - Number(one.attributes['score']));
  return best?.attributes['node'];
}

/** Addresses that are tied to the clone in the cluster, and are not in the configuration any more. */
export function goneAddresses(
  cib: Element,
  node: Pick<PlanNode, 'drivers' | 'config'>,
): { address: string }[] {
  const { clone } = nodeAgent(node);
  const known = new Set(node.config.floatingIps.map(({ address }) => resourceId(address)));
  return childrenOf(section(cib, 'constraints'))
    .filter(({ name, attributes }) => name === 'rsc_colocation' && attributes['with-rsc'] === clone)
    .flatMap((one) => {
      const id = one.attributes['rsc'] ?? '';
      const top = resourceIn(cib, id);
      if (known.has(id) || idOf(one) !== tieId('only-with', id) || top === undefined) return [];
      return addressesOf(top).map((address) => ({ address }));
    })
    .filter(({ address }) => resourceIn(cib, resourceId(address)) !== undefined);
}

/** The nodes that the cluster lets the clone run on; undefined where it has none. */
export function clusterNodes(
  cib: Element,
  { clone }: Pick<NodeAgent, 'clone'>,
): readonly string[] | undefined {
  const [rule] = ownConstraints(cib, [clone]).flatMap((one) => childrenOf(one, 'rule'));
  return (
    rule &&
    all(rule).flatMap(({ name, attributes: { value } }) => (name === 'expression' ? (value ?? []) : []))
  );
}

function absentNodes(cib: Element | undefined, nodes: readonly string[]): readonly Remark[] {
  return cib === undefined ? [] : nodes.flatMap((name) => preferRemarks(cib, name));
}
