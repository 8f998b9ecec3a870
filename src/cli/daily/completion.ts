import { Argument, type Command, type Option } from 'commander';
import { releaseSteps, publishedOrder } from '../../step-names.js';
import { version } from '../../version.js';
import type { Io } from '../io.js';
import { addCommonOptions } from '../options.js';
import {
  bashCompletion,
  type CompletedCommand,
  type CompletedOption,
  type Word,
} from '../text/bash-completion.js';

/** nlm-failover completion bash: what bash completes, made from the definitions of the commands. */
export function addCompletion(program: Command, io: Io): void {
  addCommonOptions(
    program
      .command('completion')
      .summary('print what a shell needs to complete the command line')
      .description(
        'Print a script for bash that completes commands, options, their values, steps, and the addresses of the configuration. The packages have it in its place; ' +
          'else: nlm-failover completion bash > /usr/share/bash-completion/completions/nlm-failover, or in a shell: eval "$(nlm-failover completion bash)".',
      )
      .addArgument(new Argument('<shell>', 'bash').choices(['bash'])),
  ).action(() => io.out(bashCompletion(program.name(), version, completed(program))));
}

/** The program itself, and each command that --help shows. */
function completed(program: Command): CompletedCommand[] {
  const commands = program.createHelp().visibleCommands(program);
  const names = commands.map((command) => command.name());
  return [program, ...commands].map((command) => ({
    name: command === program ? '' : command.name(),
    options: command
      .createHelp()
      .visibleOptions(command)
      .map((option) => optionOf(command.name(), option)),
    places:
      command === program || command.name() === 'help'
        ? [{ words: names }]
        : command.registeredArguments.map((argument) => placeOf(argument)),
    isRepeated: command !== program && command.registeredArguments.at(-1)?.variadic === true,
  }));
}

function placeOf(argument: Argument): Word {
  if (argument.argChoices !== undefined) return { words: argument.argChoices };
  switch (argument.name()) {
    case 'address':
      return 'address';
    case 'directory':
      return 'directory';
    case 'command':
      return 'command';
    default:
      return 'nothing';
  }
}

/** The steps that --steps of a command takes, as commander does not know them. */
const steps: Readonly<Record<string, readonly string[]>> = {
  release: releaseSteps,
  takeover: publishedOrder,
};

function optionOf(command: string, option: Option): CompletedOption {
  const names = [option.short, option.long].filter((name) => name !== undefined);
  return option.required ? { names, value: valueOf(command, option) } : { names };
}

function valueOf(command: string, { argChoices, flags }: Option): Word {
  if (argChoices !== undefined) return { words: argChoices };
  const own = steps[command];
  if (/^--steps\b/.test(flags) && own !== undefined) return { list: own };
  const [, kind = ''] = /<(\w+)>/.exec(flags) ?? [];
  if (kind === 'file' || kind === 'device') return 'file';
  return kind === 'directory' ? 'directory' : 'nothing';
}
