import type { FloatingIp } from '../../config/config.js';
import { isManaged, volumesOf } from '../../config/floating-ip.js';
import { commandText } from '../../host/action.js';
import { isAtOrBelow } from '../../paths.js';
import type { SetupItem } from './item.js';
import { expectRoots } from './ledger.js';
import { isThere, makeDirectories, type SetupPlace } from './written-file.js';

/** The mount points of the volumes. One that lies on another volume is B-1's: it is made there. */
export function mountPoints(place: SetupPlace, floatingIps: readonly FloatingIp[]): SetupItem {
  const { host } = place;
  const all = floatingIps
    .filter((ip) => !isManaged(ip, 'mount'))
    .flatMap((ip) => volumesOf(ip).map(({ mountpoint }) => mountpoint));
  const own = all.filter((one) => !all.some((other) => other !== one && isAtOrBelow(one, other)));
  const missing = () => own.filter((one) => !isThere(host, one));
  return {
    name: 'mount points',
    look: async () => {
      const wanted = missing();
      for (const one of wanted) await expectRoots(host, one);
      if (wanted.length === 0) return { state: 'unchanged', detail: own.join(', ') || 'left to others' };
      return {
        state: 'to do',
        detail: wanted.join(', '),
        commands: wanted.map((one) => commandText(['mkdir', '-p', one])),
      };
    },
    act: async () => {
      const wanted = missing();
      for (const one of wanted) makeDirectories(place, one);
      return { state: 'done', detail: wanted.join(', ') };
    },
  };
}
