import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Command } from 'commander';
import { exitCodes, FailoverError, messageOf } from '../../errors.js';
import type { Argv } from '../../host/host.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

/** nlm-failover exec ADDRESS -- COMMAND [ARGS...]: a command inside the instance of a floating IP. */
export function addExec(program: Command, _io: Io, drivers: LoadDrivers, exit: (code: number) => void): void {
  addCommonOptions(
    program
      .command('exec')
      .summary('run a command inside the instance of an address')
      .description(
        'Run a command inside the instance of a floating IP (INSTANCES in nlm-failover(8)): in its network namespace, with its ' +
          '/run and /var/lib/nfs, for example `exportfs -v`, `ss -tn` or `rpcinfo`. Ends with the exit status of the command; ' +
          "with 128 and the signal's number where a signal ended it.",
      )
      .usage('[options] <address> -- <command> [args...]')
      .argument('<address>', 'the floating IP, as in the configuration')
      .argument('<command...>', 'the command and its arguments, after "--"'),
  ).action(async (address: string, command: readonly [string, ...string[]], options: CommonOptions) => {
    const { openReader } = await import('../open-reader.js');
    const { driverHere } = await import('../../lockmanager/choose.js');
    const reader = await openReader(drivers, address, options);
    for (const ip of reader.floatingIps) {
      const driver = await driverHere(reader.drivers, { ...reader, floatingIp: ip });
      const [nsenter, ...args] = driver?.enter ?? [];
      if (nsenter === undefined) {
        throw new FailoverError(`There is no instance of ${ip.address} on ${reader.config.node}`, {
          code: 'NO_INSTANCE',
          exitCode: exitCodes.stepFailed,
          operation: `exec ${ip.address}`,
          hint: `"nlm-failover status ${ip.address}" shows where the address is served. Takeover makes the instance, with a driver that has any.`,
        });
      }
      exit(await runHere([nsenter, ...args, ...command]));
    }
  });
}

/** Runs a command at this terminal and returns its exit status as a shell would. */
function runHere([file, ...args]: Argv): Promise<number> {
  // A terminal sends these to the whole foreground group: the command decides what they mean.
  const ignored = ['SIGINT', 'SIGQUIT'] as const;
  const passedOn = ['SIGTERM', 'SIGHUP'] as const;
  const nothing = (): void => undefined;
  const passOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of ignored) process.on(signal, nothing);
  for (const signal of passedOn) process.on(signal, passOn);
  // Only now: a signal that ended this process alone would leave the command behind.
  const child = spawn(file, args, { stdio: 'inherit' });
  return new Promise<number>((resolve, reject) => {
    child.once('error', (cause) => {
      reject(
        new FailoverError(`"${file}" could not be run: ${messageOf(cause)}`, {
          code: 'COMMAND_MISSING',
          exitCode: exitCodes.stepFailed,
          operation: [file, ...args].join(' '),
          hint: `Install the package that brings ${file}, and see that it is on PATH.`,
          cause,
        }),
      );
    });
    child.once('close', (code, signal) => {
      resolve(signal === null ? (code ?? exitCodes.stepFailed) : 128 + constants.signals[signal]);
    });
  }).finally(() => {
    for (const signal of ignored) process.off(signal, nothing);
    for (const signal of passedOn) process.off(signal, passOn);
  });
}
