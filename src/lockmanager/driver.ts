import { existsSync } from 'node:fs';
import { exitCodes, FailoverError } from '../errors.js';
import type { Argv, Host } from '../host/host.js';
import { lockd } from './lockd.js';
import { nlmFsid } from './nlm-fsid.js';
import type { LockManager } from './port.js';

export interface DriverChoice {
  readonly driver: LockManager;
  /** Why this one, as a clause: "configured", "no /proc/fs/nfsd/nlm_unlock here". */
  readonly why: string;
}

export interface DriverConfig {
  readonly driver: 'auto' | 'nlm-fsid' | 'lockd';
  readonly nfsd: string;
  readonly restart: Argv;
}

/**
 * The driver that the configuration names, or with `auto` the first that this host can do.
 * Throws FailoverError NO_KERNEL_INTERFACE where nlm-fsid is asked of a kernel without it.
 */
export function chooseDriver(host: Host, { driver, nfsd, restart }: DriverConfig): DriverChoice {
  const missing = ['nlm_unlock', 'nlm_set_ip_grace']
    .map((name) => `${nfsd}/${name}`)
    .find((file) => !existsSync(host.path(file)));
  if (driver === 'lockd') return { driver: lockd({ nfsd, restart }), why: 'configured' };
  if (driver === 'auto' && missing !== undefined) {
    return { driver: lockd({ nfsd, restart }), why: `auto: no ${missing}` };
  }
  if (missing !== undefined) {
    throw new FailoverError(`The driver nlm-fsid needs ${missing}, which this kernel does not have`, {
      code: 'NO_KERNEL_INTERFACE',
      exitCode: exitCodes.configuration,
      operation: 'choosing the lock manager driver',
      hint: 'Only kernels with the 2006 NLM failover patches have it: set [lock_manager].driver to "lockd" or "auto".',
    });
  }
  return {
    driver: nlmFsid(nfsd),
    why: driver === 'auto' ? `auto: ${nfsd}/nlm_unlock is there` : 'configured',
  };
}
