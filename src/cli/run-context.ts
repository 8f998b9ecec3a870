import { canonicalAddress } from '../config/address.js';
import type { Config, FloatingIp } from '../config/config.js';
import { findFloatingIp } from '../config/floating-ip.js';
import { Collected, type FailoverContext, type Log } from '../failover/context.js';
import { loadConfig } from '../config/load-config.js';
import type { NodeReader } from '../failover/access/with-record.js';
import { limitOf } from '../failover/limits.js';
import { exitCodes, FailoverError } from '../errors.js';
import { asNoted } from '../failover/steps/as-noted.js';
import type { Host } from '../host/host.js';
import { RecordSession } from '../failover/access/session.js';
import { standsStillAfter, within } from '../host/running/deadline.js';
import { chooseDriver, type DriverChoice } from '../lockmanager/choose.js';
import type { DriverModule } from '../lockmanager/module.js';
import type { Progress as NotifyProgress } from '../nsm/notify/report.js';
import { notedConfiguration } from '../rundir/configuration.js';
import { runDirectory } from '../rundir/serving.js';
import { openHost } from './open-host.js';
import { type CommonOptions } from './options.js';
import { processIo } from './io.js';
import { type LoadDrivers, openNode } from './open-reader.js';
import { interruption } from './interruption.js';
import { requireRoot } from './require-root.js';

export interface RunOptions extends CommonOptions {
  readonly fenced?: boolean;
  /** Seconds. */
  readonly notifyDeadline?: number;
  /** See LooksOptions. */
  readonly takesOver?: boolean;
  readonly leavesAlone?: boolean;
  readonly dryRun?: boolean;
  /** takeover, where another node has not released the address, and wherever nodes are called into grace: whether one is down may be asked. */
  readonly asksForProof?: boolean;
  /** release: the address as it was taken over, whatever the configuration says of its file systems by now. */
  readonly asNoted?: boolean;
  /** What Pacemaker starts or stops this as. */
  readonly resource?: string | undefined;
}

export interface RunContext {
  readonly context: FailoverContext;
  readonly choice: DriverChoice;
  /** What of the address the configuration has otherwise, as sentences; see asNoted. */
  readonly otherwise: readonly string[];
}

/**
 * Everything that a command which changes something needs, from its options and the configuration. With `asNoted`, where that is wrong, does
 * not have the address, or has another name for this node, by which it does not own the address: from the one with which this node has taken
 * it over, which a takeover has noted.
 */
export async function openRunContext(
  loadDrivers: LoadDrivers,
  address: string,
  options: RunOptions,
  onNotifyProgress: (progress: NotifyProgress) => void,
): Promise<RunContext> {
  const open = (given: RunOptions) => openConfigured(loadDrivers, address, given, onNotifyProgress);
  if (options.asNoted !== true) return open(options);
  const opened = await open(options).catch((error: unknown) => {
    if (isOfConfiguration(error)) return error;
    throw error;
  });
  const why = await whyNotThis(opened, loadDrivers);
  const config = why === undefined ? undefined : await notedFor(address);
  const noted = config === undefined ? undefined : await open({ ...options, config }).catch(() => undefined);
  if (noted !== undefined && (noted.choice.unable === undefined || opened instanceof FailoverError)) {
    const remark = `by the configuration with which it was taken over, as ${why ?? ''}`;
    return { ...noted, otherwise: [remark, ...noted.otherwise] };
  }
  if (opened instanceof FailoverError) throw opened;
  return opened;
}

/** Why the configuration is not the one to go by, as a clause; undefined: it is. */
async function whyNotThis(
  opened: RunContext | FailoverError,
  loadDrivers: LoadDrivers,
): Promise<string | undefined> {
  const unusable = (error: FailoverError) =>
    `this one cannot be used: ${error.message.replaceAll('\n', '; ')}`;
  if (opened instanceof FailoverError) return unusable(opened);
  // --dry-run tells what this node cannot do, and does not throw it.
  if (opened.choice.unable !== undefined) return unusable(opened.choice.unable);
  return otherName(opened.context, await loadDrivers());
}

/** As which node it was taken over, as a clause; undefined: as this one, or nobody knows. */
async function otherName(
  { host, config: { node }, floatingIp: { address } }: FailoverContext,
  drivers: readonly DriverModule[],
): Promise<string | undefined> {
  const taken = await takenOverAs(runDirectory(host), address, drivers);
  return taken === undefined || taken.node === node
    ? undefined
    : `this node was ${taken.node} then, and is ${node} by now`;
}

/** What the file says is wrong, or cannot be read, or is not what this node can do; or it has no such address. */
function isOfConfiguration(error: unknown): error is FailoverError {
  return (
    error instanceof FailoverError &&
    (error.exitCode === exitCodes.configuration || error.code === 'UNKNOWN_ADDRESS')
  );
}

async function notedFor(text: string): Promise<string | undefined> {
  const address = canonicalAddress(text.replace(/\/.*$/s, ''));
  const { host } = await openHost();
  return address === undefined ? undefined : notedConfiguration(runDirectory(host), address);
}

async function openConfigured(
  loadDrivers: LoadDrivers,
  address: string,
  options: RunOptions,
  onNotifyProgress: (progress: NotifyProgress) => void,
): Promise<RunContext> {
  const { rpcbindPort, ...node } = await openNode(loadDrivers, options);
  const { host, config, nlmRegistered, registeredAt } = node;
  const configured = findFloatingIp(config, address);
  requireRoot(host);
  refuseLoopback(host, configured, config.file);
  standsStillAfter(limitOf(`This command for ${configured.address}`, config));
  const { floatingIp, remarks } =
    options.asNoted === true
      ? asNoted(host, config, configured, await takenAs(node, configured))
      : { floatingIp: configured, remarks: [] };
  const choice = await within(limitOf('Choosing the lock manager driver', config), () =>
    chooseDriver(
      node.drivers,
      { ...node, floatingIp },
      {
        takesOver: options.takesOver === true,
        leavesAlone: options.leavesAlone === true,
        onlyLooks: options.dryRun === true,
      },
    ),
  );
  const collected = new Collected();
  const seconds = options.notifyDeadline ?? config.timeouts.notify;
  return {
    choice,
    otherwise: remarks,
    context: {
      host,
      config,
      floatingIp,
      driver: choice.driver,
      run: choice.driver.run,
      session: new RecordSession(host, floatingIp, config),
      voucher: await voucherOf(options, host, config),
      notifyDeadlineMs: seconds === undefined ? undefined : seconds * 1000,
      rpcbindPort,
      signal: interruption(),
      log: await openLog(options.logLevel),
      collected,
      undone: (sentence) => void collected.undone.push(sentence),
      onNotifyProgress,
      nlmRegistered,
      registeredAt,
    },
  };
}

/** As it was when this node took it over. */
async function takenAs(
  { drivers, run }: Pick<NodeReader, 'drivers' | 'run'>,
  { address }: FloatingIp,
): Promise<FloatingIp | undefined> {
  const taken = await takenOverAs(run, address, drivers);
  return taken?.floatingIps.find((one) => one.address === address);
}

/** The configuration with which this node took an address over; undefined: nobody noted it, or another version did. */
async function takenOverAs(
  run: string,
  address: string,
  drivers: readonly DriverModule[],
): Promise<Config | undefined> {
  const file = notedConfiguration(run, address);
  if (file === undefined) return undefined;
  try {
    return await loadConfig({ file, drivers });
  } catch (error) {
    if (error instanceof FailoverError) return undefined;
    throw error;
  }
}

/** A person's word needs no proof; without it, whoever is there to ask. */
async function voucherOf(
  { fenced, asksForProof, resource }: RunOptions,
  host: Host,
  config: Config,
): Promise<FailoverContext['voucher']> {
  if (fenced === true) return 'caller';
  if (asksForProof !== true || (resource === undefined && config.fencing.command === undefined))
    return undefined;
  const { chooseProver } = await import('../fencing/choose.js');
  return chooseProver(host, config, resource);
}

/** An address of the loopback, which clients never reach, is for rehearsals. Throws CONFIG_INVALID. */
function refuseLoopback(host: Host, { address }: FloatingIp, file: string): void {
  if (host.kind === 'rehearsal' || !/^(?:127\.|::1$)/u.test(address)) return;
  throw new FailoverError(`${file}: ${address} is a loopback address, which no client can reach`, {
    code: 'CONFIG_INVALID',
    exitCode: exitCodes.configuration,
    operation: `reading ${file}`,
    hint: 'Write the address that clients mount from.',
  });
}

/** pino to standard error, synchronously, so that nothing is lost when the process ends. */
export async function openLog(level: CommonOptions['logLevel']): Promise<Log> {
  const { pino } = await import('pino');
  // Node writes to standard error before it returns, whatever that is on Linux (process I/O).
  const logger = pino({ name: 'nlm-failover', level }, { write: (line: string) => processIo.err(line) });
  return (severity, fields, message) => logger[severity](fields, message);
}
