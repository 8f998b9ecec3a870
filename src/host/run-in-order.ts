import { failed } from './action.js';
import { type Argv, commandText, type Host } from './host.js';

/** The words of the shell are none of its script: that has their numbers. `$?` and the number of the command that failed come last. */
const stop = 'stop() { echo "$1 $2" >&2; exit 1; }';

/**
 * Runs commands one after another, as `runOrFail` would each, and stops at the first that fails. In one process of sh(1): a process of
 * its own for each, of one as large as this, takes longer than what most of them do.
 *
 * @param prefix what leads to where they run, as of `nsenter`
 * Throws FailoverError COMMAND_FAILED with what the one that failed said; COMMAND_TIMEOUT, COMMAND_MISSING.
 */
export async function runInOrder(
  host: Host,
  commands: readonly Argv[],
  prefix: readonly string[] = [],
): Promise<void> {
  let number = 0;
  const lines = commands.map((argv, index) => {
    const words = argv.map(() => `"\${${(number += 1)}}"`);
    return `${words.join(' ')} || stop "$?" ${index}`;
  });
  const [file, ...args] = [...prefix, 'sh', '-c', [stop, ...lines].join('\n'), 'sh', ...commands.flat()];
  const [first, last] = [commands.at(0), commands.at(-1)];
  if (first === undefined || last === undefined) return;
  const result = await host.run([file ?? 'sh', ...args], {
    called: `${commandText(first)} ... ${commandText(last)}`,
  });
  if (result.exitCode === 0) return;
  const [, stderr = result.stderr, code, index] = /^([^]*?)(\d+) (\d+)\n$/u.exec(result.stderr) ?? [];
  const argv = commands[Number(index)];
  // Not a command of these: what leads to them, as nsenter.
  if (argv === undefined) throw failed([file ?? 'sh', ...args.slice(0, prefix.length)], result);
  const [command, ...words] = [...prefix, ...argv];
  throw failed([command ?? argv[0], ...words], { ...result, exitCode: Number(code), stderr });
}
