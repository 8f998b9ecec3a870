import { type FenceAgent, type FenceDevices, takesPower } from './answers.js';

// Whether a successful fencing says that a node is down, or only that it is cut off. Pure.

/**
 * Why a success in the fencing history may be of a node that runs on, as a clause; undefined: it is down.
 *
 * The history does not tell: its entry has the action that was asked for, whatever the device did (fenced_history.c,
 * stonith_local_history; where an agent has no "reboot" it is given "off", fenced_commands.c, "does not support reboot", and the entry
 * still says reboot; fenced_remote.c, undo_op_remap), and the node that ran the device, but not the device. With several devices, or
 * levels of a topology, any of them may have been the one. So none may leave a node running.
 */
export function whyRunsOn(
  { actions, isUnfencing }: FenceDevices,
  agents: readonly FenceAgent[],
): string | undefined {
  const other = actions.find(({ value }) => !takesPower.has(value));
  if (other !== undefined)
    return `a fence device does "${other.value}" instead (${other.name}), which need not take its power`;
  // Fabric fencing: "cutting the node's access to some capability" (Pacemaker Explained, What Is Fencing?), and what is cut off must be
  // given back: provides=unfencing, or an action "on" that is automatic (fenced_commands.c, read_action_metadata; fence-agents prints
  // that for every agent with the option fabric_fencing, lib/fencing.py).
  const fabric = agents.find(({ isUnfencing: is }) => is)?.agent;
  if (fabric === undefined && !isUnfencing) return undefined;
  return `${fabric ?? 'a fence device with provides=unfencing'} cuts a node off from its disks or its network, and leaves it running`;
}
