import type { Volume } from '../../config/config.js';
import { recordVolume } from '../../config/floating-ip.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { refuseActiveElsewhere } from '../../host/actions/multiple-mount.js';
import { readSuperblock } from '../../host/reading/superblock.js';
import { within } from '../../host/running/deadline.js';
import { waitUntil } from '../../host/running/wait.js';
import { recordReachable } from '../access/location.js';
import type { FailoverContext } from '../context.js';
import { limitOf } from '../limits.js';

/** Between two looks, ms. */
const between = 1000;

/**
 * Waits while another node has the address, and may be about to release it: whoever is told of both at once, as by VRRP, begins before the
 * other one has ended. Mounts nothing and claims nothing; what is so afterwards the takeover judges. Ends at once where nobody can see
 * from here whether it is released, and where the other node does not count up on its state volume any more (multiple mount protection).
 */
export async function awaitRelease(context: FailoverContext, seconds: number): Promise<void> {
  const { floatingIp, host, config, signal } = context;
  const limit = limitOf(`waiting for the release of ${floatingIp.address}`, config);
  await within({ ...limit, seconds: seconds + limit.seconds }, async () => {
    await waitUntil(
      host,
      `the release of ${floatingIp.address}`,
      async () => signal.aborted || !(await isElsewhere(context)),
      { seconds, intervalMs: between },
    );
  });
}

async function isElsewhere({ host, floatingIp, session }: FailoverContext): Promise<boolean> {
  if (recordReachable(host, floatingIp)) {
    const ownership = session.open({ create: false })?.ownership();
    session.close();
    return ownership?.owner !== undefined && !ownership.released && !session.holds(ownership);
  }
  const volume = recordVolume(floatingIp);
  if (volume === undefined) return false;
  const superblock = await readSuperblock(host, volume.device);
  // A-4 unmounts it last.
  if (superblock?.state !== 'dirty') return false;
  return !superblock.hasMmp || (await isAlive(host, volume));
}

async function isAlive(host: FailoverContext['host'], volume: Volume): Promise<boolean> {
  try {
    await refuseActiveElsewhere(host, volume);
    return false;
  } catch (error) {
    if (error instanceof FailoverError && error.exitCode === exitCodes.notOwner) return true;
    throw error;
  }
}
