import { realpathSync } from 'node:fs';
import path from 'node:path';
import { loadConfig } from '../config/load-config.js';
import { findFloatingIp } from '../config/floating-ip.js';
import type { Config, FloatingIp } from '../config/config.js';
import { Collected, type FailoverContext } from '../failover/context.js';
import { limitOf } from '../failover/limits.js';
import type { InstanceReader } from '../failover/status/instance-status.js';
import { servedOnHost } from '../failover/access/on-host.js';
import { RecordSession } from '../failover/access/session.js';
import { standsStillAfter, within } from '../host/running/deadline.js';
import { instanceExists } from '../lockmanager/lockd-netns/place.js';
import { nlmProgram } from '../host/reading/nfsd.js';
import { runDirectory } from '../rundir/serving.js';
import { chooseDriver, type DriverChoice } from '../lockmanager/driver.js';
import { onNode } from '../lockmanager/kernel.js';
import type { InstanceConfig } from '../lockmanager/lockd-netns/lockd-netns.js';
import type { Progress as NotifyProgress } from '../nsm/notify/report.js';
import { type CommonOptions } from './options.js';
import { openHost } from './open-host.js';
import { openLog } from './log.js';
import { interruption } from './interruption.js';

export interface RunOptions extends CommonOptions {
  readonly fenced?: boolean;
  /** Seconds. */
  readonly notifyDeadline?: number;
  /** See Situation. */
  readonly takesOver?: boolean;
}

export interface RunContext {
  readonly context: FailoverContext;
  readonly choice: DriverChoice;
}

/** Everything that a command which changes something needs, from its options and the configuration. */
export async function openRunContext(
  address: string,
  options: RunOptions,
  onNotifyProgress: (progress: NotifyProgress) => void,
): Promise<RunContext> {
  const { host, rpcbindPort, nlmRegistered, registeredAt } = await openHost();
  const config = await loadConfig({ file: options.config });
  const floatingIp = findFloatingIp(config, address);
  standsStillAfter(limitOf(`This command for ${floatingIp.address}`, config));
  const run = runDirectory(host);
  const choice = await within(limitOf('Choosing the lock manager driver', config), async () =>
    chooseDriver(host, config.lockManager, {
      instance: instanceConfig(config, floatingIp),
      instanceHere: instanceExists(host, floatingIp.address),
      onHost: await servedOnHost(host, run, floatingIp),
      takesOver: options.takesOver === true,
      node: onNode({ host, interface: floatingIp.interface, run }),
    }),
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
      nlmRegistered: () => nlmRegistered(nlmProgram),
      registeredAt,
    },
  };
}

/** The floating IPs that a command is about: one, or all of the configuration. */
export async function openReader(
  address: string | undefined,
  options: CommonOptions,
): Promise<InstanceReader & { readonly floatingIps: readonly FloatingIp[]; readonly run: string }> {
  const { host, registeredAt } = await openHost();
  const config = await loadConfig({ file: options.config });
  standsStillAfter(limitOf('This command', config));
  const floatingIps = address === undefined ? config.floatingIps : [findFloatingIp(config, address)];
  return { host, config, floatingIps, run: runDirectory(host), registeredAt };
}

/** What the driver lockd-netns needs to know of this address and of the others. */
function instanceConfig({ lockManager, floatingIps }: Config, ip: FloatingIp): InstanceConfig {
  const { link, bridge, nfsd, threads, grace, ports } = lockManager;
  return {
    address: ip.address,
    link: { kind: link, parent: ip.interface, ...(bridge === undefined ? {} : { bridge }) },
    nfsd,
    threads,
    grace,
    ports,
    callout: calloutPath(),
    filesystems: ip.filesystems,
    exportOptions: ip.filesystems.flatMap(({ exports }) => exports.map(({ options }) => options)),
    foreignMountpoints: floatingIps
      .filter((other) => other !== ip)
      .flatMap(({ filesystems }) => filesystems.map(({ mountpoint }) => mountpoint)),
  };
}

/** callouts/ha-callout of this installation: bin/ and dist/ lie beside callouts/. */
function calloutPath(): string {
  const script = realpathSync(process.argv[1] ?? '.');
  return path.resolve(path.dirname(script), '../callouts/ha-callout');
}
