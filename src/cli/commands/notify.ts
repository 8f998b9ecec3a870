import { type Command, Option } from 'commander';
import type { Seen } from '../with-hooks.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions, parseSeconds } from '../options.js';

interface NotifyOptions extends CommonOptions {
  readonly notifyDeadline?: number;
}

/** nlm-failover notify ADDRESS: B-3 again, for those still not notified. */
export function addNotify(
  program: Command,
  io: Io,
  drivers: LoadDrivers,
  exit: (code: number) => void,
): void {
  addCommonOptions(
    program
      .command('notify')
      .summary('notify the clients that a takeover could not notify')
      .description(
        'Send SM_NOTIFY again, with the same NSM state, to the clients that the last takeover of this address could not ' +
          'notify. While the grace period lasts they reclaim; later their kernels at least report the lost locks.',
      )
      .argument('<address>', 'the floating IP, as in the configuration')
      .addOption(
        new Option(
          '--notify-deadline <seconds>',
          'how long to try (default: the length of the grace period)',
        ).argParser(parseSeconds),
      ),
  ).action(async (address: string, options: NotifyOptions) => {
    const { openRunContext } = await import('../run-context.js');
    const { jsonReporter, textReporter } = await import('../text/step-reporter.js');
    const { renotify } = await import('../../failover/operations/notify.js');
    let reporter: ReturnType<typeof jsonReporter> | undefined;
    const { context } = await openRunContext(
      drivers,
      address,
      { ...options, leavesAlone: true },
      (progress) => reporter?.progress(progress),
    );
    const { floatingIp, config } = context;
    const plan = { kind: 'notify' as const, address: floatingIp.address };
    const { withHooks } = await import('../with-hooks.js');
    const shown =
      options.json === true
        ? jsonReporter(io)
        : textReporter(io, plan, `notify ${floatingIp.address} from ${config.node}`);
    reporter = shown;
    const run = async (seen: Seen): Promise<number> => {
      seen.result = await renotify(context);
      return shown.result(seen.result);
    };
    exit(await withHooks(io, context, 'notify', run));
  });
}
