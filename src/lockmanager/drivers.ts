import type { FloatingIp } from '../config/config.js';
import { realHost } from '../host/real.js';
import { defaultRunDirectory } from '../rundir/serving.js';
import { ganeshaModule } from './ganesha/module.js';
import { lockdModule } from './lockd/module.js';
import { lockdNetnsModule } from './lockd-netns/module.js';
import type { DriverModule } from './module.js';
import { nlmFsidModule } from './nlm-fsid.js';
import type { LockManager } from './port.js';

/** Every lock manager driver, in the order in which `auto` prefers them. The last one can be had on every host. */
export const drivers: readonly DriverModule[] = [ganeshaModule, nlmFsidModule, lockdNetnsModule, lockdModule];

/** The last of them, for plans that are printed and not run. */
export function exampleDriver(floatingIp: FloatingIp): LockManager {
  return exampleOf(lockdModule, floatingIp);
}

/** All of them, for the same. */
export function exampleDrivers(floatingIp: FloatingIp): readonly LockManager[] {
  return drivers.map((module) => exampleOf(module, floatingIp));
}

function exampleOf(module: DriverModule, ip: FloatingIp): LockManager {
  const filesystems = ip.filesystems.map((one, index) => ({ ...one, exportId: one.exportId ?? index + 1 }));
  const floatingIp = { ...ip, filesystems };
  return module.make({
    host: realHost,
    config: { lockManager: { driver: module.name, given: {} }, floatingIps: [floatingIp] },
    run: defaultRunDirectory,
    callout: '/usr/lib/nlm-failover/callouts/ha-callout',
    floatingIp,
  });
}
