import { existsSync } from 'node:fs';
import { isManaged } from '../../../config/floating-ip.js';
import { lookAtClients } from '../../../host/actions/looks.js';
import { isMountOf, mountAt } from '../../../host/reading/mounts.js';
import { leadsElsewhere } from '../../../host/reading/lies-on.js';
import { type AddressSite, type Check, failure, type Finding, ofObstacle, orElse } from '../check.js';

/** B-5 (export): what is exported, and to whom. */
export const exportsCheck: Check<AddressSite> = {
  name: 'exports',
  text: 'B-5 (export): the clients can be resolved; where the file systems are mounted, the paths are there and lie on them',
  look: async (site) => {
    const { ip } = site;
    const exports = ip.filesystems.flatMap((filesystem) => filesystem.exports);
    const what = [...new Set(exports.map(({ path }) => path))].join(', ');
    if (isManaged(ip, 'export')) return orElse([], `${what}, exported by others (managed_by_others)`);
    const found: Finding[] = [];
    for (const clients of new Set(exports.map((one) => one.clients)))
      found.push(...(await lookAtClients(site.reader.host, clients)).map(ofObstacle));
    return orElse(
      [...found, ...paths(site)],
      `${what} to ${[...new Set(exports.map((one) => one.clients))].join(', ')}`,
    );
  },
};

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
