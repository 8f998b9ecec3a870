import { type Command, InvalidArgumentError } from 'commander';
import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { isClientName } from '../../names.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

interface AdoptOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly client: readonly string[];
}

/** nlm-failover adopt ADDRESS: what is served already comes under control. */
export function addAdopt(program: Command, io: Io, drivers: LoadDrivers, exit: (code: number) => void): void {
  addCommonOptions(
    program
      .command('adopt')
      .summary('take an address that is served already under control')
      .description(
        'Take an address under control that is served here by other means: up, its file systems mounted and exported, its clients with locks. Nothing is interrupted: no lock is dropped, no grace entered, nobody notified. ' +
          'The record is made (a state volume is mounted for it), this node becomes its owner, and from then on the clients are recorded; those that rpc.statd monitors go into the record, by the names under which they are notified. ' +
          'Then release, takeover and status work as ever, and a failover keeps the locks that were taken before.\n\n' +
          'First it is looked at whether the address is served as the configuration says. Where a failover would cost the clients something, such as another fsid, all of that is said, and nothing is done; what does not is a NOTE: ' +
          'export options, whom nobody can know, names that do not resolve. It may be run again, after a crash too. Drivers that serve from the node itself only; with `auto` a later failover may go into an instance.\n\n' +
          'rpc.statd must run the callout; `nlm-failover setup` sees to that.',
      )
      .argument('<address>', 'the floating IP, as in the configuration')
      .option(
        '-n, --dry-run',
        'print the driver and why, the exact commands and writes, in order, and all that stands in their way; touch nothing',
      )
      .option(
        '--client <name>',
        'record this client too, which rpc.statd does not know; again for each',
        (name: string, before: readonly string[]) => [...before, clientName(name)],
        [],
      ),
  ).action(async (address: string, options: AdoptOptions) => {
    const { openRunContext } = await import('../run-context.js');
    const { adopt, instanceHint, refuseInstance } = await import('../../site/adopt/adopt.js');
    const { planAdopt } = await import('../../site/adopt/plan.js');
    const { jsonReporter, textReporter } = await import('../text/step-reporter.js');
    const { context, choice } = await openRunContext(drivers, address, options, () => undefined).catch(
      (error: unknown) => {
        throw error instanceof FailoverError && error.code === 'SERVED_OTHERWISE'
          ? withHint(error, instanceHint)
          : error;
      },
    );
    const { floatingIp, driver, config } = context;
    refuseInstance(context);
    await refuseItself(floatingIp, options.client);
    const plan = planAdopt(floatingIp, driver, { node: config.node, clients: options.client });
    const title = `adopt ${floatingIp.address} on ${config.node}, lock manager ${driver.name} (${choice.why})`;
    const isJson = options.json === true;
    if (options.dryRun === true) {
      const { dryRun } = await import('../dry-run.js');
      await dryRun(io, plan, context, { title, json: isJson, ...choice });
      return;
    }
    const reporter = isJson ? jsonReporter(io) : textReporter(io, plan, title);
    exit(reporter.result(await adopt(plan, context, reporter)));
  });
}

function clientName(name: string): string {
  if (isClientName(name)) return name;
  throw new InvalidArgumentError('It takes the name or the address of a host.');
}

/** A floating IP is no client of itself: no takeover could notify it. Throws NOT_A_CLIENT. */
async function refuseItself(ip: FloatingIp, clients: readonly string[]): Promise<void> {
  const { canonicalAddress } = await import('../../config/address.js');
  const { notifyNames } = await import('../../config/floating-ip.js');
  const own = new Set(notifyNames(ip).map((name) => name.toLowerCase()));
  const wrong = clients.find((client) => own.has(canonicalAddress(client) ?? client.toLowerCase()));
  if (wrong === undefined) return;
  throw new FailoverError(`--client ${wrong} is the floating IP itself, and no client of it`, {
    code: 'NOT_A_CLIENT',
    exitCode: exitCodes.usage,
    operation: 'adopt',
    hint: 'Name hosts that mount from it.',
  });
}

function withHint({ message, code, exitCode, operation, cause }: FailoverError, hint: string): FailoverError {
  return new FailoverError(message, { code, exitCode, operation, hint, cause });
}
