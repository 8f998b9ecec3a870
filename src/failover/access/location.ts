import { existsSync, readFile, stat } from 'node:fs';
import { promisify } from 'node:util';
import type { FloatingIp } from '../../config/config.js';
import { recordVolume } from '../../config/floating-ip.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { etab } from '../../host/reading/exports.js';
import { fstab, unmountedAbove } from '../../host/reading/fstab.js';
import type { Host } from '../../host/host.js';
import { mountOfDevice } from '../../host/reading/mounts.js';
import { asking } from '../../host/running/watchdog.js';
import { recordDirectory } from '../../record/safe-files/layout.js';

const readAside = promisify(readFile);
const lookAside = promisify(stat);

export interface RecordLocation {
  /** sm_<address>, as this host names it. */
  readonly directory: string;
  /** The mount point of the address's own volume it lies on; undefined on storage that every node sees. */
  readonly onVolume: string | undefined;
}

/** Where the record of an address is. */
export function recordLocation(host: Host, ip: FloatingIp): RecordLocation {
  return {
    directory: recordDirectory(host.path(ip.stateDirectory), ip.address),
    onVolume: recordVolume(ip)?.mountpoint,
  };
}

/**
 * What is read to find out how addresses are served here, and where their records are, is asked whether it answers: for commands that
 * are not watched yet, because there may be nothing to watch. On a volume that is mounted here there is.
 */
export async function askPlaces(host: Host, floatingIps: readonly FloatingIp[]): Promise<void> {
  const shared = floatingIps.filter((ip) => recordLocation(host, ip).onVolume === undefined);
  const directories = new Set(shared.map((ip) => host.path(ip.stateDirectory)));
  const files = [fstab, etab].map((file) => host.path(file));
  await Promise.allSettled([
    ...files.map((file) => asking(file, readAside(file))),
    ...[...directories].map((directory) => asking(directory, lookAside(directory))),
  ]);
}

/** Whether the record can be read now: its volume is mounted here, or the shared storage is there. */
export function recordReachable(host: Host, ip: FloatingIp): boolean {
  return whyUnreachable(host, ip) === undefined;
}

/** Why the record cannot be reached: what is not mounted or not there, as a clause; undefined where it can. */
export function whyUnreachable(host: Host, ip: FloatingIp): string | undefined {
  const volume = recordVolume(ip);
  if (volume !== undefined) {
    return mountOfDevice(host, volume) === undefined ? `${volume.mountpoint} is not mounted` : undefined;
  }
  const unmounted = unmountedAbove(host, ip.stateDirectory);
  // An empty mount point would be taken for storage without any record, and the address for one without an owner.
  if (unmounted !== undefined) return `${unmounted} is not mounted, and /etc/fstab says that it should be`;
  return existsSync(host.path(ip.stateDirectory)) ? undefined : `${ip.stateDirectory} does not exist`;
}

/** The error for that. */
export function unreachable(host: Host, ip: FloatingIp): FailoverError {
  const { directory, onVolume } = recordLocation(host, ip);
  const { address } = ip;
  const why = whyUnreachable(host, ip);
  return new FailoverError(
    why === undefined
      ? `There is no record of ${address} in ${directory}`
      : `The record of ${address} cannot be reached: ${why}`,
    {
      code: 'RECORD_UNREACHABLE',
      exitCode: exitCodes.stepFailed,
      operation: `opening ${directory}`,
      hint:
        why === undefined
          ? `No takeover has made a record yet: nlm-failover takeover ${address}`
          : onVolume === undefined
            ? `Mount the shared storage. Only where it is mounted: make ${ip.stateDirectory} on it, once (mode 0755, owner root).`
            : `Run this on the node that serves ${address}. Where none does, and the others are dead or have let go (IS THE OTHER NODE DEAD in nlm-failover-recovery(7)): nlm-failover takeover --steps B-1 ${address}. Never mount it by hand while another node may have it.`,
    },
  );
}
