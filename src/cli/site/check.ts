import type { Command } from 'commander';
import { exitCodes } from '../../errors.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

/** nlm-failover check: everything that a failover will need, seen now. */
export function addCheck(program: Command, io: Io, drivers: LoadDrivers, exit: (code: number) => void): void {
  addCommonOptions(
    program
      .command('check')
      .summary('look at everything that a failover will need, before it is needed')
      .description(
        'Look on this node at everything that a takeover or release will need, and touch nothing. Each line is ok, WARNING or FAILURE, ' +
          'and says what to do; CHECK in nlm-failover(8) has what each looks at. To be run on every node, also on one that serves nothing now: after the configuration or ' +
          'the system was changed, and before the night in which it matters.\n\n' +
          'Ends with 1 where there is a failure, which a failover would run into; with 0 otherwise, warnings or none.',
      )
      .argument('[address]', 'one floating IP (default: all of the configuration)'),
  ).action(async (address: string | undefined, options: CommonOptions) => {
    const { openReader } = await import('../open-reader.js');
    const { runChecks } = await import('../../site/check/run-checks.js');
    const { checkJson, CheckText } = await import('../text/check-text.js');
    const reader = await openReader(drivers, address, options);
    const text = new CheckText(reader.config.node);
    let failed = false;
    await runChecks(reader, reader.floatingIps, (line) => {
      failed ||= line.verdict === 'failure';
      io.out(options.json === true ? `${JSON.stringify(checkJson(line))}\n` : text.line(line));
    });
    if (options.json !== true) io.out(text.end());
    exit(failed ? exitCodes.stepFailed : exitCodes.done);
  });
}
