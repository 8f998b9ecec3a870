import { limitOf } from '../../failover/limits.js';
import { within } from '../../host/running/deadline.js';
import type { Element } from '../pacemaker/cib/xml.js';
import { askCib } from '../pacemaker/cluster.js';
import { resourceIn } from '../pacemaker/foreign.js';
import type { Format } from '../pacemaker/formats.js';
import { resourceId } from '../pacemaker/model.js';
import type { ClusterPlan, PlanNode } from '../pacemaker/plan.js';
import type { Remark } from '../pacemaker/remarks.js';
import { type PacemakerReport, runPlanned } from '../pacemaker/run-pacemaker.js';
import { runningOn } from '../pacemaker/teardown.js';
import { unfit } from '../pacemaker/unfit.js';
import {
  clusterNodes,
  configuredNodes,
  goneAddresses,
  nodeAgent,
  planNodes,
  sharedAddresses,
} from './plan.js';

/** What changes the cluster. */
export const verbs = ['setup', 'teardown', 'add', 'delete', 'refresh'] as const;
export type Verb = (typeof verbs)[number];

export interface GaneshaHaRequest {
  readonly verb: Verb;
  /** Of add and delete. */
  readonly name: string | undefined;
  readonly format: Format;
  readonly apply: boolean;
  readonly unit: string | undefined;
}

/** Prints what the cluster is to have for the shared file systems, or its end, or sees to it. Throws FailoverError. */
export async function runGaneshaHa(
  node: PlanNode,
  { verb, name, format, apply, unit }: GaneshaHaRequest,
  report: PacemakerReport,
): Promise<void> {
  const { host, config } = node;
  const what = `ganesha-ha ${verb}`;
  const agent = nodeAgent(node);
  const configured = configuredNodes(config);
  if (verb === 'add') refuseUnlisted(node, name ?? '');
  if (verb === 'delete') {
    const cib = await within(limitOf(what, config), () => askCib(host));
    const known = new Set([...configured, ...(cib === undefined ? [] : (clusterNodes(cib, agent) ?? []))]);
    refuseUnknown(known, name ?? '');
    if (cib !== undefined) await within(limitOf(what, config), () => refuseServing(node, cib, name ?? ''));
  }
  const nodes = verb === 'delete' ? configured.filter((one) => one !== name) : configured;
  const plan = async (cib: Element | undefined): Promise<ClusterPlan> => {
    const made = await planNodes(node, { nodes, unit, cib });
    return { ...made, remarks: [...nodesRemarks(verb, name, configured), ...made.remarks] };
  };
  const isTeardown = verb === 'teardown';
  await runPlanned(
    node,
    {
      what,
      plan,
      floatingIps: sharedAddresses(config),
      format,
      apply,
      teardown: isTeardown,
      clone: agent.clone,
      changesOnly: !isTeardown && verb !== 'setup',
      ...(isTeardown || verb === 'refresh' ? { gone: (cib) => goneAddresses(cib, node) } : {}),
    },
    report,
  );
}

/** A node that the others do not wait for would give locks away in their grace. */
function refuseUnlisted({ config }: PlanNode, name: string): void {
  const nodes = configuredNodes(config);
  if (nodes.includes(name)) return;
  throw unfit(
    `${name} is not among nodes = [${nodes.map((one) => `"${one}"`).join(', ')}] of [[shared_filesystem]] in ${config.file}: nobody would wait until it is in grace`,
    'Write it there first, in the configuration of every node: that decides. Then run this again.',
  );
}

function refuseUnknown(known: ReadonlySet<string>, name: string): void {
  if (known.has(name)) {
    if (known.size > 1) return;
    throw unfit(
      `${name} is the last node`,
      'To take all of it out of the cluster: nlm-failover ganesha-ha teardown.',
    );
  }
  throw unfit(
    `${name} is none of the nodes that export the shared file systems: they are ${[...known].join(', ')}`,
    'Write it as "crm_node --list" and [[shared_filesystem]] have it.',
  );
}

async function refuseServing({ host, config }: PlanNode, cib: Element, name: string): Promise<void> {
  const there: string[] = [];
  for (const { address } of sharedAddresses(config)) {
    const id = resourceId(address);
    if (resourceIn(cib, id) !== undefined && (await runningOn(host, [id])).includes(name))
      there.push(address);
  }
  if (there.length === 0) return;
  throw unfit(
    `${name} has ${there.join(', ')}: their clients' locks are there`,
    `Have them go first: crm_attribute --node ${name} --name standby --update on. When "nlm-failover ganesha-ha status" shows them elsewhere, run this again.`,
  );
}

function nodesRemarks(verb: Verb, name: string | undefined, configured: readonly string[]): Remark[] {
  if (name === undefined) return [];
  const decides =
    'Which nodes a takeover waits for is what `nodes` of [[shared_filesystem]] says in the configuration of every node';
  if (verb === 'add')
    return [
      {
        level: 'NOTE',
        message: `${decides}: this one has ${name}`,
        hint: `See that the others have it too ("nlm-failover check" on each), before ${name} exports anything.`,
      },
    ];
  if (!configured.includes(name)) return [];
  return [
    {
      level: 'WARNING',
      message: `${decides}, and this one has ${name} still`,
      hint: `End NFS-Ganesha on ${name}; then take ${name} out of the configuration of every node. Until then every takeover waits for it.`,
    },
  ];
}
