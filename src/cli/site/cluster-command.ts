import { type Command, InvalidArgumentError, Option } from 'commander';
import { type Format, formats } from '../../site/pacemaker/formats.js';
import { constraintIds } from '../../site/pacemaker/model.js';
import type { PlanNode } from '../../site/pacemaker/plan.js';
import type { PacemakerReport } from '../../site/pacemaker/run-pacemaker.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import type { CommonOptions } from '../options.js';
import { printable } from '../text/printable.js';

// What the commands have in common that tell Pacemaker something.

export interface ClusterOptions extends CommonOptions {
  readonly format: Format;
  readonly apply?: boolean;
}

export function addClusterOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--format <format>', 'commands of pcs, of crm (crmsh), or XML for cibadmin')
        .choices(formats)
        .default('pcs'),
    )
    .option(
      '--apply',
      'do it, at once, and ask the cluster afterwards; what is so already stays, and what people have added to it',
    );
}

/** As corosync.conf and Pacemaker have it: no option, no blank, nothing that a shell or crmsh would take for more. */
export function nodeName(text: string): string {
  if (/^[\w][\w.-]*$/.test(text)) return text;
  throw new InvalidArgumentError('It takes the name of a node, as "crm_node --list" shows it.');
}

/** The configuration as the file has it: devices are the cluster's to find, and need not be here. */
export async function openPlanNode(loadDrivers: LoadDrivers, options: CommonOptions): Promise<PlanNode> {
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

export function textReport(io: Io, command: string): PacemakerReport {
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
      io.out(`${command}: ${isSame ? 'nothing was to be done' : 'done, and the cluster says so'}\n`);
    },
  };
}

export function jsonReport(io: Io, format: Format): PacemakerReport {
  const line = (value: unknown) => io.out(`${JSON.stringify(value)}\n`);
  return {
    remark: ({ level, message, hint }) => line({ [level.toLowerCase()]: message, hint }),
    text: (text, config) => {
      const parts = [...config.resources.map(({ id }) => id), ...constraintIds(config)];
      line({ format, parts, text });
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
