import path from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';
import type { AddressMetrics } from '../text/metrics-text.js';

interface MetricsOptions extends CommonOptions {
  readonly output?: string;
}

/** nlm-failover metrics: for node_exporter's textfile collector. */
export function addMetrics(
  program: Command,
  io: Io,
  drivers: LoadDrivers,
  exit: (code: number) => void,
): void {
  addCommonOptions(
    program
      .command('metrics')
      .summary('the state of each floating IP for Prometheus')
      .description(
        "Write the state of each floating IP on this node as metrics, for the textfile collector of Prometheus's node_exporter: whether it is served here, what is wrong, clients, those not notified, what was lost, " +
          'the last operation, what is left of a grace period, daemons. An address that is served elsewhere has its lines too. nlm-failover-metrics.timer does it every minute. ' +
          'Ends with 1 where the status of an address could not be read: the others are written all the same.',
      )
      .option(
        '-o, --output <file>',
        'write them to this file instead, all at once, mode 0644; of node_exporter it ends in .prom',
        fileName,
      ),
  ).action(async (options: MetricsOptions) => {
    const { openReader } = await import('../open-reader.js');
    const { addressStatus, unconfiguredStatus } = await import('../../failover/status/status.js');
    const { limitOf } = await import('../../failover/limits.js');
    const { within } = await import('../../host/running/deadline.js');
    const { reportError } = await import('../report-error.js');
    const { metricsText } = await import('../text/metrics-text.js');
    const { version } = await import('../../version.js');
    const reader = await openReader(drivers, undefined, options);
    const { servedBy } = await import('../../failover/status/served-by.js');
    const all: AddressMetrics[] = [];
    /** One address that cannot be looked at does not hide the others. */
    const attempt = async <T>(what: string, look: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await within(limitOf(what, reader.config), look);
      } catch (error) {
        if (!(error instanceof FailoverError)) throw error;
        reportError(io, error, false);
        exit(exitCodes.stepFailed);
        return undefined;
      }
    };
    for (const ip of reader.floatingIps) {
      const { address } = ip;
      const seen = await attempt(`metrics of ${address}`, async () => ({
        status: await addressStatus(reader, ip),
        ...(await servedBy(reader, ip)),
      }));
      all.push({ address, status: undefined, ...seen });
    }
    for (const status of (await attempt('metrics', () => unconfiguredStatus(reader))) ?? [])
      all.push({ address: status.address, status });
    const text = metricsText(version, all);
    if (options.output === undefined) io.out(text);
    else {
      const { replaceFileAmongOthers } = await import('../../host/replace-file.js');
      await replaceFileAmongOthers(reader.host.path(path.resolve(options.output)), text, 0o644);
    }
  });
}

function fileName(text: string): string {
  if (text === '' || text === '-' || text.endsWith('/'))
    throw new InvalidArgumentError(
      'It takes the name of a file. Without it the metrics go to standard output.',
    );
  return text;
}
