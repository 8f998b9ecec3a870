import { type Command, Option } from 'commander';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions } from '../options.js';
import {
  addClusterOptions,
  type ClusterOptions,
  jsonReport,
  nodeName,
  openPlanNode,
  textReport,
} from './cluster-command.js';

interface PacemakerOptions extends ClusterOptions {
  readonly teardown?: boolean;
  readonly prefer?: string;
}

/** nlm-failover pacemaker: the cluster's part of the configuration. */
export function addPacemaker(program: Command, io: Io, drivers: LoadDrivers): void {
  const command = program
    .command('pacemaker')
    .summary('write the configuration of a Pacemaker cluster')
    .description(
      'Print what a Pacemaker cluster needs to move these addresses: for each one resource, ocf:nlm-failover:address; or, with `managed_by_others`, a group of stock agents around ours; ' +
        'with operations, timeouts and constraints. PACEMAKER in nlm-failover(8) says what each is for, and how the timeouts are made. Without --apply it needs neither root nor a cluster.\n\n' +
        'Warns where fencing is off; that stops nothing (exit code 0). The configuration must be the same on every node, which nobody can see from here: `nlm-failover check` on each.',
    )
    .argument('[address...]', 'floating IPs, as in the configuration (default: all of it)');
  addClusterOptions(command)
    .addOption(
      new Option(
        '--teardown',
        'the way back: stop these addresses, wait until they are stopped, then remove what this command makes, and nothing else',
      ).conflicts('prefer'),
    )
    .addOption(
      new Option(
        '--prefer <node>',
        'the node, by its name in the cluster, to which these addresses come home by themselves; else they stay where they are',
      ).argParser(nodeName),
    );
  addCommonOptions(command).action(async (addresses: readonly string[], options: PacemakerOptions) => {
    const { findFloatingIp } = await import('../../config/floating-ip.js');
    const { runPacemaker } = await import('../../site/pacemaker/run-pacemaker.js');
    const { requireRoot } = await import('../require-root.js');
    const node = await openPlanNode(drivers, options);
    const { floatingIps } = node.config;
    const { format, apply = false, teardown = false, prefer } = options;
    const named = new Set(addresses.map((address) => findFloatingIp(node.config, address)));
    if (apply) requireRoot(node.host);
    await runPacemaker(
      node,
      { floatingIps: named.size === 0 ? floatingIps : [...named], format, apply, teardown, prefer },
      options.json === true ? jsonReport(io, format) : textReport(io, 'pacemaker'),
    );
  });
}
