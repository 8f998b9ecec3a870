import type { MountedAs } from '../../record/trial/mounted-as.js';

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
