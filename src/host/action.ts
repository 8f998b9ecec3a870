import type { ErrorCode } from '../error-codes.js';
import { type ExitCode, exitCodes, FailoverError } from '../errors.js';
import type { StepName } from '../step-names.js';
import { type Argv, type CommandResult, commandText, type Host } from './host.js';

export { commandText } from './host.js';

/** What stands in the way of an action, found by looking. */
export interface Obstacle {
  /** What was found, as a sentence without its full stop. */
  readonly message: string;
  readonly hint?: string | undefined;
  /** Default NOT_READY, with exit code 3. */
  readonly code?: ErrorCode;
  readonly exitCode?: ExitCode;
  /** It is worth a look, and stops nothing. */
  readonly isNote?: boolean;
}

/** How far a look may go. */
export interface LookOptions {
  /** Whether the name service may be asked, which may not answer for long. */
  readonly asksNames: boolean;
  /** Nothing comes after it (--dry-run): the record was not opened. */
  readonly isAll?: boolean;
}

/**
 * One effect of a step. The plan is made of these; `--dry-run` prints `commands`,
 * the runner calls check, act, verify. Making one has no effect.
 */
export interface Action<Context> {
  /** What `act` does, as a person would type it: commands and writes, in order. */
  readonly commands: readonly string[];
  /**
   * The same for whoever has a shell and not this program, where that is not `commands`: lines that a shell takes as they are, in this order,
   * whatever the case; a comment begins with "#".
   */
  readonly byHand?: readonly string[];
  /** Done each time anew, harmless, and no change by itself: a step that did nothing else changed nothing. */
  readonly repeats?: boolean;
  /** The programs that it cannot do without. */
  readonly programs?: readonly string[];
  /**
   * Everything that stands in its way and can be known before anything is claimed or done; nothing where it is done already. Leaves no
   * trace. What it throws (FailoverError) is such a thing too.
   */
  look?(
    context: Context,
    options: LookOptions,
  ): readonly Obstacle[] | undefined | Promise<readonly Obstacle[] | undefined>;
  /** True when the system already is as `act` would leave it: then nothing is done. */
  check(context: Context): boolean | Promise<boolean>;
  /** Does it. May return a sentence worth reading. Throws FailoverError. */
  act(context: Context): Promise<string | undefined>;
  /** Reads the system and throws FailoverError unless it is so; never trusts what `act` was answered. */
  verify(context: Context): void | Promise<void>;
  /** Takes back what `act` did, where the step ends because the address is another node's. Throws where it cannot. */
  undo?(context: Context): Promise<void>;
}

/** What a person types for an action without this program. */
export function handLines({
  byHand,
  commands,
}: Pick<Action<never>, 'byHand' | 'commands'>): readonly string[] {
  return byHand ?? commands;
}

/** A line that a shell takes, with what must stand before it to run it in another namespace; its comment stays outside. */
export function enteringText(prefix: readonly string[], line: string): string {
  if (line.startsWith('#') || prefix.length === 0) return line;
  const [, command = line, comment = ''] = /^(.*?)( {3}#.*)?$/.exec(line) ?? [];
  const isPlain = !/[<>|;&$]/.test(command);
  return `${commandText(prefix)} ${isPlain ? command : commandText(['sh', '-c', command])}${comment}`;
}

/** An action as the plan has it where it is done in some cases only: "an earlier instance is still there". By hand it is left out. */
export function onlyWhere<Context>(condition: string, action: Action<Context>): Action<Context> {
  const commands = action.commands.map(
    (line) => `${line.replace(/\s+#.*$/, '')}   # only where ${condition}`,
  );
  return { ...action, commands, byHand: [] };
}

/** What actions on the machine alone need; richer contexts extend it. */
export interface HostContext {
  readonly host: Host;
  /**
   * For what could not be done and keeps nothing else from being done, as a sentence: it is said at the end, with exit code 1.
   * Absent: it ends the step.
   */
  readonly undone?: (sentence: string) => void;
}

/** For a failure whose cause only the command or the kernel knows. */
const goOn =
  'Remove the cause. Then run the same nlm-failover command again: it goes on where this one stopped.';

/** Runs a command that must succeed. Throws FailoverError COMMAND_FAILED with what it said. */
export async function runOrFail(host: Host, argv: Argv, hint = goOn): Promise<CommandResult> {
  const result = await host.run(argv);
  if (result.exitCode !== 0) throw failed(argv, result, hint);
  return result;
}

/** The error COMMAND_FAILED for what a command answered. */
export function failed(argv: Argv, result: CommandResult, hint = goOn): FailoverError {
  return new FailoverError(`"${commandText(argv)}" exited with ${result.exitCode}: ${saidOf(result)}`, {
    code: 'COMMAND_FAILED',
    exitCode: exitCodes.stepFailed,
    operation: commandText(argv),
    hint,
  });
}

/** What a command said, on one line, each of its lines once, without the blanks that set them in. */
export function saidOf({ stdout, stderr }: CommandResult): string {
  const lines = (stderr.trim() || stdout.trim()).split('\n').map((line) => line.replace(/\s+/gu, ' ').trim());
  return [...new Set(lines)].filter((line) => line !== '').join('; ') || 'it said nothing';
}

/** A command that succeeded and a system that is not so: kernels and daemons do that. */
export function notSo(step: StepName, message: string, hint = goOn): FailoverError {
  return new FailoverError(message, {
    code: 'NOT_VERIFIED',
    exitCode: exitCodes.stepFailed,
    operation: step,
    hint,
  });
}
