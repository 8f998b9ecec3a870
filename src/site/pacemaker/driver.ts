import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { DriverModule, NodeView } from '../../lockmanager/module.js';

/** The kernel's default for nfsd (fs/nfsd/nfs4state.c): no node has a shorter grace by itself. */
const leastGrace = 90;

/** What a cluster must know of the driver that serves an address, on whichever node. */
export interface ClusterDriver {
  readonly name: string;
  /** Seconds. */
  readonly grace: number;
  /** Two takeovers at once on one node would take each other's grace. */
  readonly takesNode: boolean;
  /** Why it is a guess: of `auto` nobody knows it but a node that can serve the address, and there but root. Undefined: it is none. */
  readonly guess: Guess | undefined;
}

/** Not root; or what each driver lacks on this node. */
export type Guess = { readonly isRoot: false } | { readonly isRoot: true; readonly lacks: string };

/**
 * The driver that the configuration names, or the one that `auto` takes on this node; where that cannot be looked at (not root, no NFS
 * server), the one that it would take where the host can do everything. Throws DRIVER_UNSUITED, NO_DRIVER.
 */
export async function clusterDriver(
  drivers: readonly DriverModule[],
  node: NodeView,
  floatingIp: FloatingIp,
): Promise<ClusterDriver> {
  const { driver: wanted } = node.config.lockManager;
  const candidates = drivers.filter(({ name }) => wanted === 'auto' || name === wanted);
  const suited = candidates.filter((one) => one.unsuited(floatingIp).length === 0);
  const [first] = suited;
  if (first === undefined) throw unsuited(candidates, floatingIp, wanted);
  const found =
    suited.length === 1 ? { module: first, guess: undefined } : await looked(suited, node, floatingIp);
  const driver = found.module.make({ ...node, floatingIp });
  return {
    name: driver.name,
    grace: Math.max(leastGrace, driver.graceSeconds()),
    takesNode: driver.graceTakesLocksOf === 'node',
    guess: found.guess,
  };
}

async function looked(
  suited: readonly DriverModule[],
  node: NodeView,
  floatingIp: FloatingIp,
): Promise<{ readonly module: DriverModule; readonly guess: Guess | undefined }> {
  const reasons: string[] = [];
  for (const module of suited) {
    const isOpen = module.servesFrom === 'node' || process.geteuid?.() === 0;
    if (!isOpen) return { module, guess: { isRoot: false } };
    const lacks = await module.lacks({ ...node, floatingIp }, { takesOver: true });
    if (lacks.length === 0) return { module, guess: undefined };
    reasons.push(`not ${module.name}: ${lacks.join(', ')}`);
  }
  const module = suited.find(({ servesFrom }) => servesFrom === 'instance') ?? suited.at(-1);
  if (module === undefined) throw new TypeError('of no driver none can be looked at');
  return { module, guess: { isRoot: true, lacks: reasons.join('; ') } };
}

function unsuited(
  candidates: readonly DriverModule[],
  floatingIp: FloatingIp,
  wanted: string,
): FailoverError {
  const reasons = candidates
    .map((module) => `${module.name}: ${module.unsuited(floatingIp).join(', ')}`)
    .join('; ');
  return new FailoverError(`No lock manager driver can serve ${floatingIp.address}: ${reasons}`, {
    code: wanted === 'auto' ? 'NO_DRIVER' : 'DRIVER_UNSUITED',
    exitCode: exitCodes.configuration,
    operation: 'writing the configuration of Pacemaker',
    hint: 'Set [lock_manager].driver to "auto" or another one; or take managed_by_others out, so that one resource does everything.',
  });
}
