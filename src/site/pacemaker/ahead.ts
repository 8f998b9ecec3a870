import path from 'node:path';
import type { FloatingIp } from '../../config/config.js';
import type { Host } from '../../host/host.js';
import { isInstalled } from '../../host/running/command.js';
import { unitState } from '../unit/unit-state.js';
import { agentOf, type ClusterConfig, primitivesOf } from './model.js';
import { ownProvider } from './resource.js';
import { unfit } from './unfit.js';

/** Where Pacemaker looks for agents (OCF, and its own --with-ocfrainstalldir). */
const agentDirectory = '/usr/lib/ocf/resource.d';

/** systemd and a cluster manager would each stop what the other one starts. Throws CLUSTER_UNFIT. */
export async function refuseUnits(host: Host, floatingIps: readonly FloatingIp[]): Promise<void> {
  for (const { address } of floatingIps) {
    const state = await unitState(host, address);
    if (state === undefined) continue;
    const isOn = state.file === 'enabled' || ['active', 'activating', 'deactivating'].includes(state.active);
    if (!isOn) continue;
    throw unfit(
      `${state.unit} is ${state.active} and ${state.file} here: an address has one manager`,
      `On every node: systemctl disable --now ${state.unit}. That releases the address; its clients keep their locks at the next start. And "nlm-failover setup --no-enable" from now on.`,
    );
  }
}

/** Throws CLUSTER_UNFIT where this node has not the agents that are named; of the others nothing can be seen from here. */
export function refuseWithoutAgents({ resources }: ClusterConfig): void {
  const missing = resources
    .flatMap(primitivesOf)
    .filter(({ provider, type }) => !isInstalled(path.join(agentDirectory, provider, type)));
  if (missing.length === 0) return;
  const names = [...new Set(missing.map(agentOf))];
  const isOurs = missing.some(({ provider }) => provider === ownProvider);
  throw unfit(
    `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} not in ${agentDirectory} of this node`,
    isOurs
      ? 'On every node: nlm-failover setup --pacemaker, or install the Debian package.'
      : 'Install resource-agents on every node.',
  );
}
