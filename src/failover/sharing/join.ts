import { hostname } from 'node:os';
import type { FloatingIp } from '../../config/config.js';
import type { Host } from '../../host/host.js';
import { brickLockHosts } from '../../host/bricks.js';
import { waitUntil } from '../../host/running/wait.js';
import type { LockManager, LockManagerContext } from '../../lockmanager/port.js';
import type { GraceAnswer, GraceCall } from '../../record/barrier.js';
import { lockBricks, type OperationLock } from '../../rundir/operation-lock.js';
import { runDirectory } from '../../rundir/serving.js';

/** A look has the bricks write down all that they hold. */
const lookMs = 1000;
/** What another command may have the bricks for: a few of them, none of which says anything. */
const othersSeconds = 20;
/** Of the longest that a grace may last: after that part of one whoever is to stay in it enters it anew. */
export const roundPart = 1 / 3;

/** Enters grace on this node, and proves it. Returns a remark. Throws FailoverError. */
export async function enterSharedGrace(
  driver: Pick<LockManager, 'name' | 'shared'>,
  context: LockManagerContext,
): Promise<string | undefined> {
  const { shared } = driver;
  // chooseDriver has refused one that cannot.
  if (shared === undefined) throw new Error(`${driver.name} serves no shared file systems`);
  const action = shared.joinGrace();
  const remark = await action.act(context);
  await action.verify(context);
  return remark;
}

/**
 * Whose locks are still in the way on this node's part of the storage, of hosts that died; none where the storage keeps no lock of who is
 * gone. `silent`: it does not say.
 */
async function deadLocks(
  host: Host,
  { filesystems }: FloatingIp,
  dead: readonly string[],
): Promise<string[] | 'silent'> {
  const found = new Set<string>();
  for (const { glusterVolume } of dead.length === 0 ? [] : filesystems) {
    if (glusterVolume === undefined) continue;
    const hosts = await aloneAtBricks(host, () => brickLockHosts(host, glusterVolume));
    if (hosts === 'silent') return 'silent';
    for (const one of dead) if (hosts.has(one)) found.add(one);
  }
  return [...found];
}

/** Two takeovers here, or one and `join-grace`, would remove each other's dump. `silent` where the other one does not end. */
async function aloneAtBricks<T>(host: Host, ask: () => Promise<T>): Promise<T | 'silent'> {
  const run = runDirectory(host);
  let lock: OperationLock | undefined;
  const isFree = () => {
    lock = lockBricks(run);
    return lock !== undefined;
  };
  await waitUntil(host, 'another command to have asked the bricks', isFree, { seconds: othersSeconds });
  if (lock === undefined) return 'silent';
  try {
    return await ask();
  } finally {
    lock.release();
  }
}

/** Waits until none of them is in the way any more, at the longest `seconds`. Returns what is left to say, as a sentence; undefined: none is. */
export async function awaitDeadLocks(
  host: Host,
  ip: FloatingIp,
  dead: readonly string[],
  seconds: number,
): Promise<string | undefined> {
  let left: string | undefined;
  await waitUntil(
    host,
    'the storage to let the locks of a dead node go',
    async () => {
      left = await deadLocksText(host, ip, dead);
      return left === undefined;
    },
    { seconds, intervalMs: lookMs },
  );
  return left;
}

/** Whose locks are in the way now, as a sentence; undefined: nobody's. */
export async function deadLocksText(
  host: Host,
  ip: FloatingIp,
  dead: readonly string[],
): Promise<string | undefined> {
  const left = await deadLocks(host, ip, dead);
  if (left === 'silent') return 'a brick here does not say which locks it holds';
  return left.length === 0 ? undefined : `a brick here holds locks of ${left.join(', ')} still`;
}

/** What this node answers. */
export function answerTo(
  { id, round }: Pick<GraceCall, 'id' | 'round'>,
  state: GraceAnswer['state'],
  said: string,
  now: number,
): GraceAnswer {
  return { id, round, host: hostname(), state, said, at: now };
}
