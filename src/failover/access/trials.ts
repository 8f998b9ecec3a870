import type { Config, FloatingIp } from '../../config/config.js';
import type { Host } from '../../host/host.js';
import { isOfManyNodes, type MountedAs, mountedAs } from '../../record/trial/mounted-as.js';
import { holdsFor, lastVerdict } from '../../record/trial/trial.js';

/** What trials have shown of storage, and what to do about it. */
export interface Trial {
  /** `untried`: never here, or not as it is mounted now. */
  readonly state: 'lost' | 'untried';
  /** A sentence without its full stop. */
  readonly message: string;
  readonly hint: string;
}

/**
 * What trials have shown of the storage that an address's record lies on, and that every node sees. A verdict is one of how it was mounted
 * then. Undefined where it keeps what two nodes write at once, or only one node can have it mounted at a time. Throws RECORD_UNSAFE.
 */
export function trialOf(
  host: Host,
  { node }: Pick<Config, 'node'>,
  { address, stateDirectory }: FloatingIp,
): Trial | undefined {
  const mount = mountedAs(host, stateDirectory);
  const verdict = lastVerdict(host.path(stateDirectory), node);
  if (verdict !== undefined && holdsFor(verdict, mount)) {
    const { other, at, why, kept } = verdict;
    if (kept) return undefined;
    const message = `${stateDirectory} lost what ${node} and ${other} wrote at once (tried at ${at}): ${why.join('; ')}`;
    return { state: 'lost', message, hint: adviceFor(mount) };
  }
  if (mount === undefined || !isOfManyNodes(mount)) return undefined;
  const what = `Whether ${stateDirectory} (${mount.type}) keeps what two nodes write at once`;
  return {
    state: 'untried',
    message:
      verdict === undefined
        ? `${what} was never tried on this node`
        : `${what} was tried at ${verdict.at}, and it is mounted otherwise now`,
    hint: `Run "nlm-failover try-storage ${address}" on two nodes at about the same time.`,
  };
}

/** What makes a file system keep what two nodes write at once, where somebody has seen that, as sentences. */
const known: Readonly<Record<string, string>> = {
  'fuse.glusterfs':
    'GlusterFS keeps them when it is mounted with "-o direct-io-mode=enable,attribute-timeout=0,entry-timeout=0", and of its volume ' +
    'performance.write-behind, performance.quick-read, performance.io-cache, performance.read-ahead, performance.stat-prefetch and performance.open-behind are off (gluster volume set).',
  nfs: 'Of NFS, leave nolock, local_lock= and nocto out (nfs(5)).',
};

/** What to do where the storage has lost what two nodes wrote. */
export function adviceFor(mount: MountedAs | null | undefined): string {
  const type = mount?.type === 'nfs4' ? 'nfs' : mount?.type;
  const options = type === undefined ? undefined : known[type];
  return `${options === undefined ? '' : `${options} `}Mount it so on every node, and try it again; or let the record lie on a state volume that moves with the address (WHERE THE RECORD LIES in nlm-failover(8)).`;
}
