import { type Command, Option } from 'commander';
import {
  publishedOrder,
  safeOrder,
  stepsText,
  type TakeoverOrder,
  takeoverOrders,
} from '../../step-names.js';
import type { Seen } from '../with-hooks.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions, parseResource, parseSeconds } from '../options.js';

interface TakeoverOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly steps?: string;
  readonly order: TakeoverOrder;
  readonly fenced?: boolean;
  readonly resource?: string;
  readonly awaitRelease?: number;
  readonly notifyDeadline?: number;
  readonly wait: boolean;
}

/** nlm-failover takeover ADDRESS: B-1 to B-5. */
export function addTakeover(
  program: Command,
  io: Io,
  drivers: LoadDrivers,
  exit: (code: number) => void,
): void {
  addCommonOptions(
    program
      .command('takeover')
      .summary('take an address over: B-1 to B-5')
      .description(
        `Take a floating IP over on this node, or start it for the first time: ${stepsText(safeOrder)}. From B-2 on its clients are ` +
          'recorded here. Then wait until the locks are reclaimed, at the longest to the end of the grace period; end it then ' +
          'where it is certain that nothing is left to reclaim; and name what is lost. First everything is looked at that the steps need; where something is missing, all of it is said, and nothing is claimed or touched. Each step is checked, done and verified. What is done already is skipped, so that the same command ' +
          'can be run again after a failure or a crash. Where the address is served here already and all is well, nothing changes and no client notices; ' +
          'a daemon that has died is started anew, and only where lockd has gone does a new grace begin.',
      )
      .argument('<address>', 'the floating IP, as in the configuration')
      .option(
        '-n, --dry-run',
        'print the driver and why, the exact commands and writes, in order, and all that stands in their way; touch nothing',
      )
      .option('--steps <list>', 'only these steps, for example B-2,B-3, where something else does the others')
      .addOption(
        new Option(
          '--order <order>',
          `safe: ${safeOrder.join(' ')}; published: ${publishedOrder.join(' ')}, as in the 2006 proposal: clients with I/O may see stale file handles, and lose locks`,
        )
          .choices(Object.keys(takeoverOrders))
          .default('safe'),
      )
      .option('--fenced', 'your word that the node which has the address, and has not released it, is dead')
      .addOption(
        new Option(
          '--await-release <seconds>',
          'for so long, wait for the node that has the address to release it, before it is refused, or fenced by the command of [fencing]: where both nodes are told at once, as by keepalived. Ends at once where that node shows no life on a state volume with multiple mount protection',
        ).argParser(parseSeconds),
      )
      .addOption(
        new Option(
          '--resource <id>',
          'Pacemaker starts this as that resource: where a node has not released the address, Pacemaker has to have fenced it; see FENCING',
        ).argParser(parseResource),
      )
      .addOption(
        new Option(
          '--notify-deadline <seconds>',
          'how long B-3 tries to notify the clients (default: the length of the grace period)',
        ).argParser(parseSeconds),
      )
      .option(
        '--no-wait',
        'return when the steps are done: do not wait for the reclaims, and do not end the grace',
      ),
  ).action(async (address: string, options: TakeoverOptions) => {
    const { openRunContext } = await import('../run-context.js');
    const { planTakeover } = await import('../../failover/plan.js');
    const { asksOf } = await import('../../failover/access/vouching.js');
    const { includesSteps, selectSteps } = await import('../../failover/steps/steps.js');
    const { jsonReporter, textReporter } = await import('../text/step-reporter.js');
    let reporter: ReturnType<typeof jsonReporter> | undefined;
    const { context, choice } = await openRunContext(
      drivers,
      address,
      { ...options, takesOver: includesSteps(options.steps, ['B-2', 'B-4', 'B-5']), asksForProof: true },
      (progress) => reporter?.progress(progress),
    );
    const { floatingIp, driver, config } = context;
    const whole = planTakeover(floatingIp, driver, {
      node: config.node,
      order: options.order,
      asks: asksOf(context),
    });
    const plan = selectSteps(whole, options.steps);
    const title = `takeover ${floatingIp.address} on ${config.node}, lock manager ${driver.name} (${choice.why})`;
    if (options.dryRun === true) {
      const { dryRun } = await import('../dry-run.js');
      await dryRun(io, plan, context, { title, json: options.json === true, ...choice });
      return;
    }
    const { takeover } = await import('../../failover/operations/takeover.js');
    const { unitRemarks } = await import('../../site/unit/unit-state.js');
    const { withHooks } = await import('../with-hooks.js');
    const shown = options.json === true ? jsonReporter(io) : textReporter(io, plan, title);
    reporter = shown;
    const run = async (seen: Seen): Promise<number> => {
      const result = await takeover(plan, context, shown, options.awaitRelease);
      const more = options.steps === undefined ? await unitRemarks(context.host, floatingIp.address) : [];
      const done = { ...result, remarks: [...result.remarks, ...more] };
      seen.result = done;
      if (!options.wait || !plan.steps.some(({ name }) => name === 'B-3')) return shown.result(done);
      const { auditAfterTakeover } = await import('../../failover/reclaim/audit.js');
      return shown.resultAfter(done, async (onProgress) => {
        seen.audit = await auditAfterTakeover(context, onProgress);
        return seen.audit;
      });
    };
    exit(await withHooks(io, context, 'takeover', run));
  });
}
