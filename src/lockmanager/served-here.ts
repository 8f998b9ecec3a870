import type { Host } from '../host/host.js';
import { servedAddresses } from '../rundir/serving.js';
import type { DriverModule, InstanceHere } from './module.js';

/** An address that this node serves, and how the node is seen from where it is served. */
export interface ServedHere extends InstanceHere {
  /** Whether it has an instance, whole or half-built. */
  readonly isInstance: boolean;
}

/** Every address that is recorded for here, and every instance, configured or not. */
export function servedHere(host: Host, run: string, drivers: readonly DriverModule[]): ServedHere[] {
  return [
    ...servedAddresses(run).map((address) => ({ address, host, run, isInstance: false })),
    ...drivers
      .flatMap((module) => module.instancesHere?.(host) ?? [])
      .map((one) => ({ ...one, isInstance: true })),
  ];
}
