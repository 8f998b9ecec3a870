import type { Lab } from './lab.js';
import { startLockLoop, type LockRound } from './lock-loop.js';
import {
  type Locked,
  lockThrough,
  type Preparation,
  prepareServers,
  reclaimed,
  startAddress,
} from './scenario-steps.js';
import { nlmFailover, type SiteIp, type ToolResult } from './site.js';

/** B serves it all along. */
export function stayingOf({ site }: Lab): SiteIp {
  return site.ip(2, [{ disk: 'vol3', fsid: 3 }]);
}

export interface BystanderSeen {
  readonly rounds: readonly LockRound[];
  readonly takeover: ToolResult;
  readonly locked: Locked;
  /** Whether the moving client had its lock on B afterwards. */
  readonly reclaimed: boolean;
}

/** A takeover on B while a client of B's other address takes and frees a lock all the while. */
export async function watchBystander(
  lab: Lab,
  preparation: Preparation,
  beforeFailover: () => Promise<void> = async () => undefined,
): Promise<BystanderSeen> {
  const { a, b, c, disks, moving, site } = lab;
  const staying = stayingOf(lab);
  await prepareServers(lab, [moving, staying], preparation);
  await startAddress(b, staying);
  await startAddress(a, moving);
  const other = c.client('other');
  await other.mount({ server: staying.address, path: site.exportPath('vol3') });
  await other.run(['flock', '-x', '/mnt/nfs/theirs', '-c', 'true'], { timeoutSeconds: 120 }); // waits out the first grace
  const locked = await lockThrough(lab, moving);
  await beforeFailover();
  const loop = await startLockLoop(other, '/mnt/nfs/theirs');
  await nlmFailover(a, ['release', moving.address]);
  const takeover = await nlmFailover(b, ['takeover', moving.address]);
  const isReclaimed = await reclaimed(b, disks.vol1.device);
  return { rounds: await loop.stop(), takeover, locked, reclaimed: isReclaimed };
}
