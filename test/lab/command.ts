/** An argv, or a POSIX sh script, whose `$1`... are `RunOptions.args`. */
export type Command = readonly string[] | string;

export interface RunOptions {
  /** `$1`, `$2`... of a script. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The command's process group is killed after this time; 60 by default. */
  readonly timeoutSeconds?: number;
  /** `false` returns a non-zero exit status instead of throwing. */
  readonly reject?: boolean;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command in a guest that failed: the message has the command and all it wrote. */
export class CommandError extends Error {
  readonly result: RunResult;

  constructor(summary: string, result: RunResult) {
    super(
      [summary, result.stdout.trimEnd(), result.stderr.trimEnd()].filter((part) => part !== '').join('\n'),
    );
    this.name = 'CommandError';
    this.result = result;
  }
}

/** The one place where words become shell text. */
function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** The command file that a guest's remote shell runs: a script, or the words of an argv, each after a byte of zero, which need no shell. */
export function commandFile(command: Command, { args = [], env = {} }: RunOptions): string {
  const exports = Object.entries(env).map(([name, value]) => `export ${name}=${quote(value)}\n`);
  if (typeof command === 'string')
    return `${exports.join('')}set -- ${args.map(quote).join(' ')}\n${command}\n`;
  if (exports.length > 0) return `${exports.join('')}exec ${command.map(quote).join(' ')}\n`;
  return command.map((word) => `\0${word}`).join('');
}

/** One line that tells a reader which command it was. */
export function describeCommand(command: Command): string {
  const text = typeof command === 'string' ? command.trim() : command.join(' ');
  const [first = '', ...rest] = text.split('\n');
  return rest.length === 0 ? first : `${first} ...`;
}
