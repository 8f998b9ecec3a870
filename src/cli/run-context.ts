import { realpathSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../config/load-config.js';
import { findFloatingIp } from '../config/floating-ip.js';
import type { FloatingIp } from '../config/config.js';
import type { NodeReader } from '../failover/access/with-record.js';
import { Collected, type FailoverContext, type Log } from '../failover/context.js';
import { limitOf } from '../failover/limits.js';
import { RecordSession } from '../failover/access/session.js';
import { standsStillAfter, within } from '../host/running/deadline.js';
import { nlmProgram } from '../host/reading/nfsd.js';
import { runDirectory } from '../rundir/serving.js';
import { chooseDriver, type DriverChoice } from '../lockmanager/choose.js';
import type { DriverModule } from '../lockmanager/module.js';
import type { Progress as NotifyProgress } from '../nsm/notify/report.js';
import { type CommonOptions } from './options.js';
import { openHost } from './open-host.js';
import { processIo } from './io.js';
import { interruption } from './interruption.js';

/** Loads the lock manager drivers that there are, when a command needs them. */
export type LoadDrivers = () => Promise<readonly DriverModule[]>;

export interface RunOptions extends CommonOptions {
  readonly fenced?: boolean;
  /** Seconds. */
  readonly notifyDeadline?: number;
  /** See ChooseOptions. */
  readonly takesOver?: boolean;
}

export interface RunContext {
  readonly context: FailoverContext;
  readonly choice: DriverChoice;
}

/** Everything that a command which changes something needs, from its options and the configuration. */
export async function openRunContext(
  loadDrivers: LoadDrivers,
  address: string,
  options: RunOptions,
  onNotifyProgress: (progress: NotifyProgress) => void,
): Promise<RunContext> {
  const { rpcbindPort, ...node } = await openNode(loadDrivers, options);
  const { host, config, nlmRegistered, registeredAt } = node;
  const floatingIp = findFloatingIp(config, address);
  standsStillAfter(limitOf(`This command for ${floatingIp.address}`, config));
  const choice = await within(limitOf('Choosing the lock manager driver', config), () =>
    chooseDriver(node.drivers, { ...node, floatingIp }, { takesOver: options.takesOver === true }),
  );
  const seconds = options.notifyDeadline ?? config.timeouts.notify;
  return {
    choice,
    context: {
      host,
      config,
      floatingIp,
      driver: choice.driver,
      run: choice.driver.run,
      session: new RecordSession(host, floatingIp, config),
      fenced: options.fenced === true,
      notifyDeadlineMs: seconds === undefined ? undefined : seconds * 1000,
      rpcbindPort,
      signal: interruption(),
      log: await openLog(options.logLevel),
      collected: new Collected(),
      onNotifyProgress,
      nlmRegistered,
      registeredAt,
    },
  };
}

/** The floating IPs that a command is about: one, or all of the configuration. */
export async function openReader(
  loadDrivers: LoadDrivers,
  address: string | undefined,
  options: CommonOptions,
): Promise<NodeReader & { readonly floatingIps: readonly FloatingIp[] }> {
  const { rpcbindPort: _, ...node } = await openNode(loadDrivers, options);
  const { config } = node;
  standsStillAfter(limitOf('This command', config));
  return {
    ...node,
    floatingIps: address === undefined ? config.floatingIps : [findFloatingIp(config, address)],
  };
}

async function openNode(
  loadDrivers: LoadDrivers,
  options: CommonOptions,
): Promise<NodeReader & { readonly rpcbindPort: number }> {
  const { host, rpcbindPort, nlmRegistered, registeredAt } = await openHost();
  const drivers = await loadDrivers();
  return {
    host,
    drivers,
    config: await loadConfig({ file: options.config, drivers }),
    run: runDirectory(host),
    callout: calloutPath(),
    rpcbindPort,
    nlmRegistered: () => nlmRegistered(nlmProgram),
    registeredAt,
  };
}

/** callouts/ha-callout of this installation: bin/ and dist/ lie beside callouts/. */
function calloutPath(): string {
  const script = realpathSync(process.argv[1] ?? '.');
  return path.resolve(path.dirname(script), '../callouts/ha-callout');
}

/** pino to standard error, synchronously, so that nothing is lost when the process ends. */
async function openLog(level: CommonOptions['logLevel']): Promise<Log> {
  const { pino } = await import('pino');
  // Node writes to standard error before it returns, whatever that is on Linux (process I/O).
  const logger = pino({ name: 'nlm-failover', level }, { write: (line: string) => processIo.err(line) });
  return (severity, fields, message) => logger[severity](fields, message);
}
