import { type Command, Option } from 'commander';
import { releaseSteps, stepsText } from '../../step-names.js';
import type { Seen } from '../with-hooks.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions, parseResource } from '../options.js';

interface ReleaseOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly steps?: string;
  readonly freeze?: boolean;
  readonly resource?: string;
}

/** nlm-failover release ADDRESS. */
export function addRelease(
  program: Command,
  io: Io,
  drivers: LoadDrivers,
  exit: (code: number) => void,
): void {
  addCommonOptions(
    program
      .command('release')
      .summary('give an address up: A-1 to A-4')
      .description(
        `Give a floating IP up on this node: ${stepsText(releaseSteps)}. From A-1 on its clients are not recorded here. ` +
          'Each step is checked, done and verified. What is done already is skipped, so that the same command can be ' +
          'run again after a failure or a crash, and where nothing of the address is here it ends with 0, whoever owns it. ' +
          'Where the configuration is wrong, not there, without the address, or has another name for this node, it goes by the one with which this node took the address over.',
      )
      .argument('<address>', 'the floating IP, as in the configuration')
      .option(
        '-n, --dry-run',
        'print the driver and why, the exact commands and writes, in order, and all that stands in their way; touch nothing',
      )
      .option('--steps <list>', 'only these steps, for example A-1,A-3, where something else does the others')
      .addOption(
        new Option(
          '--resource <id>',
          'Pacemaker stops this as that resource: a node that it says is down need not enter grace; see SHARED FILE SYSTEMS',
        ).argParser(parseResource),
      )
      .addOption(
        new Option(
          '--freeze',
          'no step: from now on nobody leaves the record of the address, and whoever comes is still recorded, also while the address is up; ' +
            'for a cluster manager that then takes the address and the exports away. The next B-3 ends it',
        ).conflicts(['dryRun', 'steps']),
      ),
  ).action(async (address: string, options: ReleaseOptions) => {
    const { openRunContext } = await import('../run-context.js');
    const { planRelease } = await import('../../failover/plan.js');
    const { selectSteps } = await import('../../failover/steps/steps.js');
    const { jsonReporter, textReporter } = await import('../text/step-reporter.js');
    const { context, choice, otherwise } = await openRunContext(
      drivers,
      address,
      { ...options, asNoted: true, asksForProof: true },
      () => undefined,
    );
    const { floatingIp, driver, config } = context;
    if (options.freeze === true) {
      const { freeze } = await import('../../failover/operations/freeze.js');
      const isFrozen = freeze(context);
      if (options.json === true) io.out(`${JSON.stringify({ result: 'done', frozen: isFrozen })}\n`);
      else
        io.out(
          `release --freeze ${floatingIp.address} on ${config.node}: ${isFrozen ? 'nobody leaves its record until B-3' : 'nobody is recorded for it here'}\n`,
        );
      return;
    }
    const plan = selectSteps(planRelease(floatingIp, driver), options.steps);
    const title = `release ${floatingIp.address} on ${config.node}, lock manager ${driver.name} (${choice.why})`;
    if (options.dryRun === true) {
      const { dryRun } = await import('../dry-run.js');
      const isJson = options.json === true;
      await dryRun(io, plan, context, { title, json: isJson, ...choice, otherwise });
      return;
    }
    const { release } = await import('../../failover/operations/release.js');
    const reporter = options.json === true ? jsonReporter(io) : textReporter(io, plan, title);
    const { withHooks } = await import('../with-hooks.js');
    const run = async (seen: Seen): Promise<number> => {
      const result = await release(plan, context, reporter);
      seen.result = { ...result, remarks: [...otherwise, ...result.remarks] };
      return reporter.result(seen.result);
    };
    exit(await withHooks(io, context, 'release', run));
  });
}
