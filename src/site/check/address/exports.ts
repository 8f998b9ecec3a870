import { existsSync } from 'node:fs';
import type { Filesystem } from '../../../config/config.js';
import { isManaged, othersKey } from '../../../config/floating-ip.js';
import { FailoverError } from '../../../errors.js';
import { lookAtActions } from '../../../failover/operations/preflight.js';
import { isMountOf, mountAt } from '../../../host/reading/mounts.js';
import { leadsElsewhere } from '../../../host/reading/lies-on.js';
import { type AddressSite, type Check, failure, type Finding, ofObstacle, orElse } from '../check.js';

/** B-5 (export): what is exported, and to whom. */
export const exportsCheck: Check<AddressSite> = {
  name: 'exports',
  text: 'B-5 (export): exportfs knows the options, the clients can be resolved, nothing else is exported with the same fsid; where the file systems are mounted, the paths are there and lie on them. What every node exports: that NFS-Ganesha does',
  look: async (site) => {
    const { ip, context, choice } = site;
    const exports = ip.filesystems.flatMap((filesystem) => filesystem.exports);
    const what = [...new Set(exports.map(({ path }) => path))].join(', ');
    if (isManaged(ip, 'export')) {
      const { exports: driven } = context.driver;
      const looks =
        ip.shared === undefined || choice instanceof FailoverError
          ? []
          : ip.filesystems.flatMap((one) => one.exports.flatMap((path) => driven.expect?.(path, one) ?? []));
      const missing = await lookAtActions(looks, context, { asksNames: false });
      return orElse(missing.map(ofObstacle), `${what}, exported by others (${othersKey(ip)})`);
    }
    const actions = ip.filesystems.flatMap((filesystem) =>
      filesystem.exports.map((one) => context.driver.exports.make(one, filesystem)),
    );
    const obstacles = await lookAtActions(actions, context, { asksNames: true });
    const once = new Map(obstacles.map((one) => [one.message, ofObstacle(one)]));
    const unmounted = ip.filesystems.filter((one) => !isMounted(site, one));
    const notLookedAt =
      unmounted.length === 0
        ? ''
        : `; not mounted here, so that no path on it was looked at: ${unmounted.map(({ mountpoint }) => mountpoint).join(', ')}`;
    return orElse(
      [...once.values(), ...paths(site)],
      `${what} to ${[...new Set(exports.map((one) => one.clients))].join(', ')}${notLookedAt}`,
    );
  },
};

function isMounted({ reader: { host } }: AddressSite, { mountpoint, device }: Filesystem): boolean {
  const mount = mountAt(host, mountpoint);
  return mount !== undefined && isMountOf(host, mount, device);
}

function paths({ ip, reader: { host } }: AddressSite): Finding[] {
  return ip.filesystems.flatMap(({ mountpoint, device, exports }) => {
    const mount = mountAt(host, mountpoint);
    if (mount === undefined || !isMountOf(host, mount, device)) return [];
    return [...new Set(exports.map(({ path }) => path))].flatMap((path): Finding[] => {
      if (!existsSync(host.path(path)))
        return [failure(`there is no directory ${path} on ${mount.source}`, `Make it: mkdir ${path}`)];
      const elsewhere = leadsElsewhere(host, path, mount);
      return elsewhere === undefined
        ? []
        : [
            failure(
              `${path} does not lie on the file system of ${mountpoint}: ${elsewhere}`,
              'Give what lies there a [[floating_ip.filesystem]] of its own, or export another path.',
            ),
          ];
    });
  });
}
