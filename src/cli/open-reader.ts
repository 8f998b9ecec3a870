import type { Config, FloatingIp } from '../config/config.js';
import { findFloatingIp } from '../config/floating-ip.js';
import { loadConfig } from '../config/load-config.js';
import { askPlaces } from '../failover/access/location.js';
import { inKernelTerms } from '../failover/access/places.js';
import type { NodeReader } from '../failover/access/with-record.js';
import { limitOf } from '../failover/limits.js';
import { nlmProgram } from '../host/reading/nfsd.js';
import { standsStillAfter, within } from '../host/running/deadline.js';
import { asking } from '../host/running/watchdog.js';
import type { DriverModule } from '../lockmanager/module.js';
import { runDirectory } from '../rundir/serving.js';
import { readConfigFile } from './config-file.js';
import { openHost } from './open-host.js';
import type { CommonOptions } from './options.js';
import { requireRoot } from './require-root.js';
import { calloutPath } from './own-callout.js';

/** Loads the lock manager drivers that there are, when a command needs them. */
export type LoadDrivers = () => Promise<readonly DriverModule[]>;

/** The floating IPs that a command is about: one, or all of the configuration. */
export async function openReader(
  loadDrivers: LoadDrivers,
  address: string | undefined,
  options: CommonOptions,
): Promise<NodeReader & { readonly floatingIps: readonly FloatingIp[]; readonly written: Config }> {
  const { rpcbindPort: _, ...node } = await openNode(loadDrivers, options);
  const { host, config } = node;
  standsStillAfter(limitOf('This command', config));
  const floatingIps = address === undefined ? config.floatingIps : [findFloatingIp(config, address)];
  requireRoot(host);
  await askPlaces(host, floatingIps);
  return { ...node, floatingIps };
}

/** This node, and what is configured for it: `config` in the kernel's terms, `written` as the file has it. */
export async function openNode(
  loadDrivers: LoadDrivers,
  options: CommonOptions,
): Promise<NodeReader & { readonly rpcbindPort: number; readonly written: Config }> {
  const { host, rpcbindPort, nlmRegistered, registeredAt } = await openHost();
  const drivers = await loadDrivers();
  const written = await loadConfig({
    file: options.config,
    drivers,
    read: (file) =>
      asking(file, readConfigFile(file, host.kind !== 'rehearsal' && process.geteuid?.() === 0)),
  });
  return {
    host,
    drivers,
    written,
    config: await within(limitOf('Finding the devices', written), () => inKernelTerms(host, written)),
    run: runDirectory(host),
    callout: calloutPath(),
    rpcbindPort,
    nlmRegistered: () => nlmRegistered(nlmProgram),
    registeredAt,
  };
}
