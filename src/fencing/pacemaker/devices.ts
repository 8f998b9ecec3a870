import { type FenceAgent, type FenceDevices, type FenceLevel, takesPower } from './answers.js';

// Whether a successful fencing says that a node is down, or only that it is cut off. Pure.

/**
 * Agents that say "success" without having done anything to a node, or of one that they cannot reach: of fence-agents, and plugins of cluster-glue
 * ("FOR TESTING ONLY!"; external/ssh: "well... Let's call it successful, after all this is only for testing...").
 */
const proveNothing: ReadonlySet<string> = new Set([
  'fence_dummy',
  'fence_crosslink',
  'null',
  'ssh',
  'external/ssh',
]);

/** Agents of fence-agents that remove the security groups of an instance, say "off" and leave it running, without that their metadata says so. */
const networkOnly: ReadonlySet<string> = new Set(['fence_aws_vpc', 'fence_aws_vpc_net']);

/**
 * "This is not a fence agent by itself! Its only purpose is to enable/disable another fence agent that lives on the same fencing level";
 * fence_evacuate moves the guests of an OpenStack node, and touches the node no more. fence_heuristics_resource never says "success".
 * fence_nlm_failover is ours (callouts/ctdb): it has the other nodes refuse NLM.
 */
const helpers: ReadonlySet<string> = new Set([
  'fence_heuristics_ping',
  'fence_evacuate',
  'fence_nlm_failover',
]);

/** Whether one of the devices is a helper, so that the levels of the topology are worth a look. */
export function hasHelper({ agents }: Pick<FenceDevices, 'agents'>): boolean {
  return agents.some((agent) => helpers.has(agent));
}

/**
 * Why a success in the fencing history may be of a node that runs on, as a clause; undefined: it is down. `node`: of which it is; undefined: of any.
 *
 * The history does not tell: its entry has the action that was asked for, whatever the device did (fenced_history.c,
 * stonith_local_history; where an agent has no "reboot" it is given "off", fenced_commands.c, "does not support reboot", and the entry
 * still says reboot; fenced_remote.c, undo_op_remap), and the node that ran the device, but not the device. With several devices, or
 * levels of a topology, any of them may have been the one. So none may leave a node running.
 */
export function whyRunsOn(
  devices: FenceDevices,
  agents: readonly FenceAgent[],
  levels: readonly FenceLevel[],
  node: string | undefined,
): string | undefined {
  const { actions, isUnfencing, isElsewhere, networkFencing } = devices;
  if (isElsewhere)
    return 'a fence device takes one of its values from elsewhere (an nvpair with id-ref), so that what it does is not to be seen';
  const other = actions.find(({ value }) => !takesPower.has(value));
  if (other !== undefined)
    return `a fence device does "${other.value}" instead (${other.name}), which need not take its power`;
  // Fabric fencing: "cutting the node's access to some capability" (Pacemaker Explained, What Is Fencing?), and what is cut off must be
  // given back: provides=unfencing, or an action "on" that is automatic (fenced_commands.c, read_action_metadata; fence-agents prints
  // that for every agent with the option fabric_fencing, lib/fencing.py).
  const fabric = agents.find(({ isUnfencing: is }) => is)?.agent;
  if (fabric !== undefined || isUnfencing)
    return `${fabric ?? 'a fence device with provides=unfencing'} cuts a node off from its disks or its network, and leaves it running`;
  // fence_azure_arm, get_power_status: "return off quickly once network is fenced instead of waiting for vm state to change".
  if (networkFencing)
    return 'a fence device has network-fencing, which cuts a node off from its network, and does not wait until its power is off';
  const network = devices.agents.find((agent) => networkOnly.has(agent));
  if (network !== undefined) return `${network} cuts a node off from its network, and leaves it running`;
  const test = devices.agents.find((agent) => proveNothing.has(agent));
  if (test !== undefined) return `${test} says so of a node that runs on`;
  return whyAlone(devices, levels, node);
}

/** A helper alone, where there is no level for a node, or in one where nothing else is, is what fences. */
function whyAlone(
  { byId }: FenceDevices,
  levels: readonly FenceLevel[],
  node: string | undefined,
): string | undefined {
  const isHelper = (id: string) => helpers.has(byId.get(id) ?? '');
  const helper = [...byId.values()].find((agent) => helpers.has(agent));
  if (helper === undefined) return undefined;
  const alone = levels.some(
    ({ devices }) => devices.some(isHelper) && devices.every((id) => isHelper(id) || !byId.has(id)),
  );
  const isFor = ({ target }: FenceLevel) =>
    node === undefined || (typeof target === 'string' ? target === node : target?.test(node) === true);
  if (!alone && levels.some(isFor)) return undefined;
  return `${helper} fences nothing by itself, and ${alone ? 'is alone in a level of the topology' : `no level of a topology${node === undefined ? '' : ` for ${node}`} has another device with it`}`;
}
