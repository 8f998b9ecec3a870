import * as v from 'valibot';
import { exitCodes, FailoverError } from '../../errors.js';
import { commandText, runOrFail } from '../action.js';
import type { Argv, Host } from '../host.js';

/**
 * What a command of iproute2 prints with -j (ip(8)), judged by `schema`; where it prints nothing, an empty list.
 * Throws FailoverError COMMAND_FAILED, also where it prints something else.
 */
export async function ipJson<const Schema extends v.GenericSchema>(
  host: Host,
  argv: Argv,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  const { stdout } = await runOrFail(host, argv, 'Install the package iproute2.');
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), stdout.trim() === '' ? '[]' : stdout);
  if (parsed.success) return parsed.output;
  throw new FailoverError(
    `"${commandText(argv)}" printed what cannot be read: ${v.summarize(parsed.issues)}`,
    {
      code: 'COMMAND_FAILED',
      exitCode: exitCodes.stepFailed,
      operation: commandText(argv),
      hint: 'Run it by hand. "ip -V" has its version.',
    },
  );
}
