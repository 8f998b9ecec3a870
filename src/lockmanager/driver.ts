import { existsSync } from 'node:fs';
import { exitCodes, FailoverError } from '../errors.js';
import type { Argv, Host } from '../host/host.js';
import { lockd } from './lockd.js';
import { type InstanceConfig, lockdNetns, netnsUnavailable } from './lockd-netns.js';
import { nlmFsid } from './nlm-fsid.js';
import type { LockManager } from './port.js';

export interface DriverChoice {
  readonly driver: LockManager;
  /** Why this one, as a clause: "configured", "no /proc/fs/nfsd/nlm_unlock here". */
  readonly why: string;
}

export interface DriverConfig {
  readonly driver: 'auto' | 'nlm-fsid' | 'lockd' | 'lockd-netns';
  readonly nfsd: string;
  readonly restart: Argv;
}

/**
 * The driver that the configuration names, or with `auto` the first that this host can do.
 * Throws FailoverError NO_KERNEL_INTERFACE where nlm-fsid is asked of a kernel without it, and
 * NO_INSTANCES where lockd-netns is asked of a host without network namespaces.
 */
export function chooseDriver(
  host: Host,
  { driver, nfsd, restart }: DriverConfig,
  instance: InstanceConfig,
): DriverChoice {
  switch (driver) {
    case 'auto': {
      const missing = missingInterface(host, nfsd);
      return missing === undefined
        ? { driver: nlmFsid(nfsd), why: `auto: ${nfsd}/nlm_unlock is there` }
        : { driver: lockd({ nfsd, restart }), why: `auto: no ${missing}` };
    }
    case 'lockd':
      return { driver: lockd({ nfsd, restart }), why: 'configured' };
    case 'lockd-netns': {
      const reason = netnsUnavailable(host);
      if (reason !== undefined) throw notHere('lockd-netns', 'NO_INSTANCES', reason);
      return { driver: lockdNetns(instance), why: 'configured' };
    }
    case 'nlm-fsid': {
      const missing = missingInterface(host, nfsd);
      if (missing !== undefined) {
        throw notHere(
          'nlm-fsid',
          'NO_KERNEL_INTERFACE',
          `${missing} is not there: only kernels with the 2006 NLM failover patches have it`,
        );
      }
      return { driver: nlmFsid(nfsd), why: 'configured' };
    }
  }
}

function missingInterface(host: Host, nfsd: string): string | undefined {
  return ['nlm_unlock', 'nlm_set_ip_grace']
    .map((name) => `${nfsd}/${name}`)
    .find((file) => !existsSync(host.path(file)));
}

function notHere(driver: string, code: string, reason: string): FailoverError {
  return new FailoverError(`This host cannot do the lock manager driver ${driver}: ${reason}`, {
    code,
    exitCode: exitCodes.configuration,
    operation: 'choosing the lock manager driver',
    hint: 'Set [lock_manager].driver to "auto" or "lockd".',
  });
}
