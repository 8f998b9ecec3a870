import type { FloatingIp } from '../../config/config.js';
import type { Action } from '../../host/action.js';
import { isMountOf, mountAt } from '../../host/reading/mounts.js';
import type { FailoverContext } from '../context.js';
import { servedAddresses } from '../../rundir/serving.js';

/** The other floating IPs that this node records for now, where B-2 takes their locks too; else none. */
export function otherAffected({ config, run, floatingIp, driver }: FailoverContext): FloatingIp[] {
  if (driver.graceTakesLocksOf !== 'node') return [];
  const served = new Set(servedAddresses(run));
  return config.floatingIps.filter(({ address }) => address !== floatingIp.address && served.has(address));
}

/**
 * B-2, where entering grace takes the exports of other floating IPs away: they come back at once, before their clients meet
 * stale handles.
 */
export function restoreOtherExports({ address }: FloatingIp): Action<FailoverContext> {
  return {
    commands: [
      `# exportfs -o ... again for every other address served here, if the restart took their exports (${address} comes in B-5)`,
    ],
    check: () => false,
    act: async (context) => {
      const lost: string[] = [];
      for (const action of otherExports(context)) {
        if (await action.check(context)) continue;
        await action.act(context);
        await action.verify(context);
        lost.push(...action.commands);
      }
      return lost.length === 0
        ? undefined
        : `the restart had taken exports of other addresses; restored: ${lost.join('; ')}`;
    },
    verify: () => undefined,
  };
}

function otherExports(context: FailoverContext) {
  const { host, driver } = context;
  return otherAffected(context).flatMap(({ filesystems }) =>
    filesystems
      .filter(({ mountpoint, device }) => {
        const mount = mountAt(host, mountpoint);
        return mount !== undefined && isMountOf(host, mount, device);
      })
      .flatMap((filesystem) => filesystem.exports.map((one) => driver.exports.make(one, filesystem))),
  );
}
