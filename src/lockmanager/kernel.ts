import { type DriverKey, ofString } from '../config/driver-settings.js';
import { readPath } from '../config/paths.js';
import { flushExports } from '../host/actions/export-tables.js';
import { exportPath, isExported, unexport } from '../host/actions/exports.js';
import { lookAtExport } from '../host/actions/look-export.js';
import { exported } from '../host/reading/exports.js';
import { seesLockd } from '../host/reading/locks.js';
import { graceSeconds, inGrace, nfsdThreads } from '../host/reading/nfsd.js';
import { monitored, statdProcess } from '../host/reading/statd.js';
import { rememberedExports } from '../rundir/exported.js';
import { calloutFault } from './callout-proof.js';
import { inPlace, servesNothing, unlessGone } from './in-place.js';
import { locksOf } from './lockd/locks-gone.js';
import type { Site } from './module.js';
import type { Exports, LockManager, ServingPlace } from './port.js';

/** The node itself as the place where an address is served. */
export function onNode(node: Pick<ServingPlace, 'host' | 'interface' | 'run'>): ServingPlace {
  return { ...node, enter: [], absence: () => undefined };
}

/** The node itself as the place where this address is served. */
export function onSite({ host, floatingIp, run }: Site): ServingPlace {
  return onNode({ host, interface: floatingIp.interface, run });
}

const nfsdWanted = 'an absolute path, such as "/proc/fs/nfsd"';

/** For every driver of the kernel's nfsd. */
export const nfsdKey: DriverKey<string> = {
  name: 'nfsd',
  wanted: nfsdWanted,
  text: 'where the nfsd file system is mounted',
  default: '/proc/fs/nfsd',
  read: ofString(nfsdWanted, readPath),
};

/** exportfs(8), and its table. */
function exportfs(place: ServingPlace): Exports {
  const memory = rememberedExports(place.run);
  return {
    make: (one, filesystem) => {
      const there = inPlace(place, exportPath(one, filesystem, memory));
      return {
        ...there,
        // What is wrong with an export itself is so wherever it will be made.
        look: async (context, how) =>
          (await there.look?.(context, how)) ?? lookAtExport(context.host, one, how),
      };
    },
    takeAway: (one, filesystem, moving) => unlessGone(place, unexport(one, filesystem, memory, moving)),
    has: async (one, filesystem) => !servesNothing(place) && isExported(place.host, one, filesystem, memory),
    current: async () => (servesNothing(place) ? [] : exported(place.host)),
  };
}

/**
 * What a lock manager has in common with the others where nfsd, lockd and rpc.statd of the kernel and of nfs-utils serve from
 * `place`, and where a driver has nothing of its own: every driver begins with it. `nfsd` is where nfsd's file system is mounted.
 */
export function kernelDefaults(place: ServingPlace, nfsd: string) {
  const { host } = place;
  let sawLockd = false;
  /** Whether /proc/locks shows lockd's locks to this process. */
  const showsLocks = () => {
    sawLockd ||= host.kind === 'rehearsal' || nfsdThreads(host, nfsd) === 0 || seesLockd(host);
    return sawLockd;
  };
  return {
    ...place,
    exports: exportfs(place),
    beforeUnmount: (filesystems) => [flushExports(filesystems.map(({ mountpoint }) => mountpoint))],
    beforeGrace: () => [],
    afterAddressUp: () => [],
    endGrace: undefined,
    inGrace: async () => nfsdThreads(host, nfsd) > 0 && inGrace(host, nfsd) !== false,
    isUp: async () => nfsdThreads(host, nfsd) > 0,
    mend: () => [],
    graceSeconds: () => graceSeconds(host, nfsd),
    heldLocksText: "lockd's locks in /proc/locks",
    graceLeft: async () => undefined,
    heldLocks: async (filesystem) => {
      if (servesNothing(place)) return [];
      return showsLocks() ? locksOf({ host }, filesystem) : undefined;
    },
    monitored: async () => monitored(host),
    calloutFault: async (address) => calloutFault(host, '/proc/self/ns/net', address),
    statdRuns: () => host.kind === 'rehearsal' || statdProcess(host, '/proc/self/ns/net') !== undefined,
    health: async () => undefined,
  } satisfies Partial<LockManager>;
}
