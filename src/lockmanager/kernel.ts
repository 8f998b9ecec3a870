import { exportPath, flushExports, unexport } from '../host/actions/exports.js';
import { exported } from '../host/reading/exports.js';
import { graceSeconds, inGrace, nfsdThreads } from '../host/reading/nfsd.js';
import { monitored } from '../host/reading/statd.js';
import { realHost } from '../host/real.js';
import { defaultRunDirectory } from '../rundir/serving.js';
import { inPlace, unlessGone } from './in-place.js';
import { locksOf } from './lockd/locks-gone.js';
import type { Exports, LockManager, ServingPlace } from './port.js';

/** The node itself as the place where an address is served. */
export function onNode(node: Pick<ServingPlace, 'host' | 'interface' | 'run'>): ServingPlace {
  return { ...node, enter: [], absence: () => undefined };
}

/** The same for the machine of this process, whose plans are printed and not run. */
export function onThisNode(interfaceName: string): ServingPlace {
  return onNode({ host: realHost, interface: interfaceName, run: defaultRunDirectory });
}

/** exportfs(8), and its table. */
function exportfs(place: ServingPlace): Exports {
  return {
    make: (one, filesystem) => inPlace(place, exportPath(one, filesystem)),
    takeAway: (one) => unlessGone(place, unexport(one)),
    current: async () => (place.absence() === undefined ? exported(place.host) : []),
  };
}

/**
 * What a lock manager has in common with the others where nfsd, lockd and rpc.statd of the kernel and of nfs-utils serve from
 * `place`, and where a driver has nothing of its own: every driver begins with it. `nfsd` is where nfsd's file system is mounted.
 */
export function kernelDefaults(place: ServingPlace, nfsd: string) {
  const { host } = place;
  return {
    ...place,
    exports: exportfs(place),
    beforeUnmount: (filesystems) => [flushExports(filesystems.map(({ mountpoint }) => mountpoint))],
    beforeGrace: () => [],
    afterAddressUp: () => [],
    endGrace: undefined,
    inGrace: async () => nfsdThreads(host, nfsd) > 0 && inGrace(host, nfsd) !== false,
    isUp: async () => nfsdThreads(host, nfsd) > 0,
    graceSeconds: () => graceSeconds(host, nfsd),
    heldLocks: async (filesystem) => (place.absence() === undefined ? locksOf({ host }, filesystem) : []),
    monitored: async () => monitored(host),
    health: async () => undefined,
  } satisfies Partial<LockManager>;
}
