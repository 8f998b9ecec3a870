import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PlanNode } from '../../site/pacemaker/plan.js';
import type { PacemakerReport } from '../../site/pacemaker/run-pacemaker.js';
import { type Format, formats } from '../../site/pacemaker/formats.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';
import { printable } from '../text/printable.js';

interface PacemakerOptions extends CommonOptions {
  readonly format: Format;
  readonly apply?: boolean;
  readonly teardown?: boolean;
  readonly prefer?: string;
}

/** nlm-failover pacemaker: the cluster's part of the configuration. */
export function addPacemaker(program: Command, io: Io, drivers: LoadDrivers): void {
  addCommonOptions(
    program
      .command('pacemaker')
      .summary('write the configuration of a Pacemaker cluster')
      .description(
        'Print what a Pacemaker cluster needs to move these addresses: for each one resource, ocf:nlm-failover:address; or, with `managed_by_others`, a group of stock agents around ours; ' +
          'with operations, timeouts and constraints. PACEMAKER in nlm-failover(8) says what each is for, and how the timeouts are made. Without --apply it needs neither root nor a cluster.\n\n' +
          'Warns where fencing is off; that stops nothing (exit code 0). The configuration must be the same on every node, which nobody can see from here: `nlm-failover check` on each.',
      )
      .argument('[address...]', 'floating IPs, as in the configuration (default: all of it)')
      .addOption(
        new Option('--format <format>', 'commands of pcs, of crm (crmsh), or XML for cibadmin')
          .choices(formats)
          .default('pcs'),
      )
      .option(
        '--apply',
        'do it, at once, and ask the cluster afterwards; what is so already stays, and what people have added to it',
      )
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
      ),
  ).action(async (addresses: readonly string[], options: PacemakerOptions) => {
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
      options.json === true ? jsonReport(io, format) : textReport(io),
    );
  });
}

/** As corosync.conf and Pacemaker have it: no option, no blank, nothing that a shell or crmsh would take for more. */
function nodeName(text: string): string {
  if (/^[\w][\w.-]*$/.test(text)) return text;
  throw new InvalidArgumentError('It takes the name of a node, as "crm_node --list" shows it.');
}

/** The configuration as the file has it: devices are the cluster's to find, and need not be here. */
async function openPlanNode(loadDrivers: LoadDrivers, options: CommonOptions): Promise<PlanNode> {
  const { loadConfig } = await import('../../config/load-config.js');
  const { asking } = await import('../../host/running/watchdog.js');
  const { runDirectory } = await import('../../rundir/serving.js');
  const { readConfigFile } = await import('../config-file.js');
  const { openHost } = await import('../open-host.js');
  const { calloutPath } = await import('../own-callout.js');
  const { host } = await openHost();
  const drivers = await loadDrivers();
  const isRoot = host.kind !== 'rehearsal' && process.geteuid?.() === 0;
  const config = await loadConfig({
    file: options.config,
    drivers,
    read: (file) => asking(file, readConfigFile(file, isRoot)),
  });
  return { host, config, drivers, run: runDirectory(host), callout: calloutPath() };
}

function textReport(io: Io): PacemakerReport {
  return {
    remark: ({ level, message, hint }) => io.err(`${level}: ${printable(message)}. ${printable(hint)}\n`),
    text: (text) => io.out(text),
    part: ({ id, state, details }) =>
      io.out(
        `  ${state.padEnd(9)}  ${printable(id)}: ${details.map((detail) => printable(detail.replace(`${id}: `, ''))).join('; ')}\n`,
      ),
    stopping: (id, places, seconds) =>
      io.out(
        `  stopping   ${printable(id)}: on ${printable(places.join(', '))}, for ${seconds} s at the longest; interrupted, it stays disabled\n`,
      ),
    end: (parts) => {
      const isSame = parts.every(({ state }) => state === 'unchanged');
      io.out(`pacemaker: ${isSame ? 'nothing was to be done' : 'done, and the cluster says so'}\n`);
    },
  };
}

function jsonReport(io: Io, format: Format): PacemakerReport {
  const line = (value: unknown) => io.out(`${JSON.stringify(value)}\n`);
  return {
    remark: ({ level, message, hint }) => line({ [level.toLowerCase()]: message, hint }),
    text: (text, { resources, orders, preferences }) => {
      const parts = [...resources, ...preferences, ...orders];
      line({ format, parts: parts.map(({ id }) => id), text });
    },
    part: ({ id, state, details }) => line({ part: id, state, details }),
    stopping: (id, places, seconds) =>
      line({
        part: id,
        state: 'stopping',
        details: [`on ${places.join(', ')}`, `${seconds} s at the longest`],
      }),
    end: () => line({ result: 'done' }),
  };
}
