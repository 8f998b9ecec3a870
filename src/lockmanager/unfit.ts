import type { FloatingIp } from '../config/config.js';
import type { Host } from '../host/host.js';
import { mountAt } from '../host/reading/mounts.js';

// File systems on which lockd cannot keep locks apart. lockd hands a lock on to the file system where that has locks of its own
// (fs/lockd/svclock.c, vfs_lock_file), and both of these have them kept by dlm_controld.

const names: Readonly<Record<string, string>> = { gfs2: 'GFS2', ocfs2: 'OCFS2' };

/**
 * Why the lock manager of the kernel cannot serve what is exported with an address, each as a clause: by what is mounted there, or is to be.
 *
 * Seen of GFS2 on Linux 6.1.176: two clients of one node both got the same exclusive lock, as dlm takes lockd for one owner (fs/dlm/plock.c,
 * dlm_posix_lock: info.owner is fl_pid, that of lockd), and what lockd had held stayed in dlm when it had ended, for ever. OCFS2 has the same
 * fs/dlm/plock.c with a cluster stack of user space; with o2cb, which has none, its locks are those of each node alone (fs/ocfs2/inode.c,
 * ocfs2_populate_inode, use_plocks), as both have with "localflocks". That does for an address whose file systems one node has at a time.
 */
export function unfitFilesystems(
  host: Host,
  { filesystems, shared }: Pick<FloatingIp, 'filesystems' | 'shared'>,
): string[] {
  const release = host.readText('/proc/sys/kernel/osrelease')?.trim() ?? '';
  const isSeen = release.startsWith('6.1.');
  return filesystems.flatMap(({ mountpoint, type, options }): string[] => {
    const mount = mountAt(host, mountpoint);
    const name = names[mount?.type ?? type];
    if (name === undefined) return [];
    const words = mount === undefined ? options : `${mount.options},${mount.superOptions}`;
    const isLocal =
      /(?:^|,)(?:localflocks|lockproto=lock_nolock)(?:,|$)/.test(words) ||
      (name === 'OCFS2' && host.readText('/sys/fs/ocfs2/cluster_stack')?.trim() === 'o2cb');
    if (isLocal)
      return shared === undefined
        ? []
        : [
            `${mountpoint} is ${name}, mounted so that its locks are those of each node alone: what one node grants another one grants too`,
          ];
    const where = isSeen ? `on this Linux ${release}` : `on 6.1, and nobody has tried this Linux ${release}`;
    return [
      `${mountpoint} is ${name}, whose locks dlm keeps, which takes lockd for one owner: two clients of one node both got the same exclusive lock, and it stayed when lockd had ended (seen with GFS2 ${where})`,
    ];
  });
}
