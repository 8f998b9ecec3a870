import { type Command, InvalidArgumentError, Option } from 'commander';
import { isResourceId } from '../fencing/pacemaker/resource-id.js';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export interface CommonOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly logLevel: (typeof logLevels)[number];
}

/** --config, --json, --log-level: the same on every command, and before it. */
export function addCommonOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '-c, --config <file>',
        'read the configuration from this file (default: NLM_FAILOVER_CONFIG, else /etc/nlm-failover.toml)',
      ),
    )
    .option('--json', 'print JSON, one object a line')
    .addOption(
      new Option('--log-level <level>', 'what to log on standard error, as JSON lines')
        .choices(logLevels)
        .default('warn'),
    );
}

/** Gives a command those of its options that the program has taken: before it and after it, of two the later one. */
export function handDown(program: Command, command: Command): void {
  for (const name of command.options.map((option) => option.attributeName())) {
    if (program.getOptionValueSource(name) === 'cli')
      command.setOptionValueWithSource(name, program.getOptionValue(name), 'cli');
  }
}

/** The id of a resource of Pacemaker. */
export function parseResource(text: string): string {
  if (isResourceId(text)) return text;
  throw new InvalidArgumentError(
    'It takes the id of a resource: a letter or "_", then letters, digits, ".", "_" and "-".',
  );
}

/** A number of seconds, fractions allowed, 0 to a day. */
export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds > 86_400) {
    throw new InvalidArgumentError('It takes a number of seconds between 0 and 86400.');
  }
  return seconds;
}
