import { existsSync } from 'node:fs';
import { exitCodes, FailoverError } from '../errors.js';
import { instancesUnavailable } from './lockd-netns/able.js';
import type { Argv, Host } from '../host/host.js';
import { lockd } from './lockd/lockd.js';
import { type InstanceConfig, lockdNetns, unsuitedForInstance } from './lockd-netns/lockd-netns.js';
import { nlmFsid } from './nlm-fsid.js';
import type { LockManager, ServingPlace } from './port.js';

type DriverName = 'nlm-fsid' | 'lockd' | 'lockd-netns';

export interface DriverChoice {
  readonly driver: LockManager;
  /** Why this one, as a clause: "configured", "auto: its instance is here". */
  readonly why: string;
}

export interface DriverConfig {
  readonly driver: 'auto' | DriverName;
  readonly nfsd: string;
  readonly restart: Argv;
}

/** Where the address is at the moment, and what is about to be done with it. */
export interface Situation {
  readonly instance: InstanceConfig;
  /** Whether an instance of the address is here, whole or not. */
  readonly instanceHere: boolean;
  /** What of the address is on the host itself, as a clause: "the address is up on eth0"; undefined: nothing. */
  readonly onHost: string | undefined;
  /** Whether grace, address and exports are all about to be made by us: an instance nobody else can serve from. */
  readonly takesOver: boolean;
  /** The node itself as the place where the address is served. */
  readonly node: ServingPlace;
}

/**
 * The driver that the configuration names, or with `auto` the one that serves the address here already; where nothing
 * does, the first that this host can do of nlm-fsid, lockd-netns and lockd.
 *
 * Throws FailoverError NO_KERNEL_INTERFACE where nlm-fsid is asked of a kernel without it, NO_INSTANCES where
 * lockd-netns is asked of a host that cannot make one, SERVED_OTHERWISE where another driver than the one named serves
 * the address here: it would overlook what that one made.
 */
export async function chooseDriver(
  host: Host,
  { driver, nfsd, restart }: DriverConfig,
  situation: Situation,
): Promise<DriverChoice> {
  const { instance, instanceHere, onHost, takesOver, node } = situation;
  const make: Record<DriverName, () => LockManager> = {
    'nlm-fsid': () => nlmFsid(node, nfsd),
    lockd: () => lockd(node, { nfsd, restart }),
    'lockd-netns': () => lockdNetns(host, instance),
  };
  const missing = missingInterface(host, nfsd);
  if (driver !== 'auto') {
    refuseOther(driver, situation);
    if (driver === 'nlm-fsid' && missing !== undefined) {
      const reason = `${missing} is not there: only kernels with the 2006 NLM failover patches have it`;
      throw notHere(driver, 'NO_KERNEL_INTERFACE', reason);
    }
    // One that is here can be taken away also where no other could be made.
    if (driver === 'lockd-netns' && !instanceHere) {
      const reason = unsuitedForInstance(instance) ?? (await instancesUnavailable(host, instance.link));
      if (reason !== undefined) throw notHere(driver, 'NO_INSTANCES', reason);
    }
    return { driver: make[driver](), why: 'configured' };
  }
  if (instanceHere) return { driver: make['lockd-netns'](), why: 'auto: its instance is here' };
  if (missing === undefined) return { driver: make['nlm-fsid'](), why: `auto: ${nfsd}/nlm_unlock is there` };
  if (onHost !== undefined) return { driver: make.lockd(), why: `auto: no ${missing}, and ${onHost}` };
  const reason = takesOver
    ? (unsuitedForInstance(instance) ?? (await instancesUnavailable(host, instance.link)))
    : 'the address and its exports are not for us to make';
  return reason === undefined
    ? { driver: make['lockd-netns'](), why: 'auto: an instance of its own' }
    : { driver: make.lockd(), why: `auto: no ${missing}, and no instance: ${reason}` };
}

function refuseOther(driver: DriverName, { instance: { address }, instanceHere, onHost }: Situation): void {
  if (driver === 'lockd-netns' && !instanceHere && onHost !== undefined) {
    throw servedOtherwise(
      `${onHost}, on the host itself and not in an instance, while the configuration says driver "lockd-netns"`,
      `Run "nlm-failover release ${address}" with the driver that took it over ("lockd" or "auto"), then take it over again.`,
    );
  }
  if (driver !== 'lockd-netns' && instanceHere) {
    throw servedOtherwise(
      `${address} has an instance on this node, made by the driver "lockd-netns", while the configuration says "${driver}"`,
      `Run "nlm-failover release ${address}" with driver "lockd-netns" or "auto", then take it over again.`,
    );
  }
}

function missingInterface(host: Host, nfsd: string): string | undefined {
  return ['nlm_unlock', 'nlm_set_ip_grace']
    .map((name) => `${nfsd}/${name}`)
    .find((file) => !existsSync(host.path(file)));
}

function notHere(driver: string, code: string, reason: string): FailoverError {
  return refusal(
    `This host cannot do the lock manager driver ${driver}: ${reason}`,
    code,
    'Set [lock_manager].driver to "auto" or "lockd".',
  );
}

function servedOtherwise(message: string, hint: string): FailoverError {
  return refusal(message, 'SERVED_OTHERWISE', hint);
}

function refusal(message: string, code: string, hint: string): FailoverError {
  return new FailoverError(message, {
    code,
    exitCode: exitCodes.configuration,
    operation: 'choosing the lock manager driver',
    hint,
  });
}
