import { CommanderError } from 'commander';
import type { LoadDrivers } from '../../src/cli/open-reader.js';
import { buildProgram } from '../../src/cli/program.js';
import { reportError } from '../../src/cli/report-error.js';
import { printableText } from '../../src/cli/text/printable.js';
import { exitCodes } from '../../src/errors.js';

export interface EndedHere {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, in the order in which they were written. */
  readonly output: string;
}

let running: Promise<unknown> = Promise.resolve();

/** The whole command in this process, on a rehearsed node, ten times as fast as a new one; one at a time, as the environment says where. */
export function runHere(
  root: string,
  config: string,
  args: readonly string[],
  drivers?: LoadDrivers,
): Promise<EndedHere> {
  const next = running.then(() => runAlone(root, config, args, drivers));
  running = next.catch(() => undefined);
  return next;
}

async function runAlone(
  root: string,
  config: string,
  args: readonly string[],
  drivers?: LoadDrivers,
): Promise<EndedHere> {
  const names = ['NLM_FAILOVER_REHEARSAL', 'NLM_FAILOVER_CONFIG', 'NLM_FAILOVER_RUN'];
  const before = names.map((name) => [name, process.env[name]] as const);
  process.env['NLM_FAILOVER_REHEARSAL'] = root;
  process.env['NLM_FAILOVER_CONFIG'] = config;
  delete process.env['NLM_FAILOVER_RUN'];
  const handlers = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map(
    (name) => [name, process.listeners(name)] as const,
  );
  const said: { readonly to: 'stdout' | 'stderr'; readonly text: string }[] = [];
  let exitCode: number = exitCodes.done;
  const io = {
    out: (text: string) => void said.push({ to: 'stdout', text: printableText(text) }),
    err: (text: string) => void said.push({ to: 'stderr', text: printableText(text) }),
    clearLine: () => undefined,
    isTerminal: false,
  };
  try {
    await buildProgram(io, (code) => (exitCode = code), drivers).parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    else exitCode = reportError(io, error, args.includes('--json'));
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    for (const [name, kept] of handlers)
      for (const one of process.listeners(name)) if (!kept.includes(one)) process.removeListener(name, one);
  }
  const of = (to: string) => said.map((one) => (to === '' || one.to === to ? one.text : '')).join('');
  return { exitCode, stdout: of('stdout'), stderr: of('stderr'), output: of('') };
}
