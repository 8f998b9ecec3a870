import path from 'node:path';
import { Guest } from './guest.js';
import { type Mount, type NfsLock, parseMounts, parseNfsLocks } from './proc-tables.js';
import { labScript } from './project-root.js';

export interface NfsOptions {
  /** Grace of lockd, and of nfsd, which has 10 s at least. The default 10. */
  readonly graceSeconds?: number;
  /** For `rpc.statd -H`, as the guest sees it. */
  readonly callout?: string;
  /** nfsd's threads; 4 by default. */
  readonly threads?: number;
}

export interface ServeOptions {
  readonly device: string;
  readonly mountpoint: string;
  readonly fsid: number;
  /** The floating IP; a /24 on vec0. */
  readonly address: string;
}

/** Server A or B. Boots with rpcbind, an empty /var/lib/nfs and nfsd's module, and no NFS service. */
export class Server extends Guest {
  /** For the `restart` key of the configuration: stops and starts nfsd, as the unit of a distribution does. */
  readonly restartCommand: readonly string[] = [labScript('restart-nfsd')];

  /** Starts statd, nfsd with lockd (version 3 only) and mountd. Locks are to be had after the grace. */
  async startNfs({ graceSeconds = 10, callout, threads = 4 }: NfsOptions = {}): Promise<void> {
    const callouts = callout === undefined ? [] : [callout];
    await this.run([labScript('start-nfs'), String(graceSeconds), String(threads), ...callouts]);
  }

  /**
   * Ends both grace periods, so that a test need not wait for its first lock. A kernel without the old NFSv4 client
   * tracking (Debian's since 6.12) refuses for nfsd's part: the first lock waits for that one.
   */
  async endGrace(): Promise<void> {
    // A grace that has ended already may not be ended again (EBUSY).
    const script = `end() { case $(tr -d '\\0' <"$1") in N*) echo Y >"$1" ;; esac }
    end /proc/fs/nfsd/v4_end_grace
    end /proc/fs/lockd/nlm_end_grace`;
    await this.run(script);
  }

  /** By hand what a takeover does, without locks: mount, export, address up, neighbours informed. */
  async serveByHand({ device, mountpoint, fsid, address }: ServeOptions): Promise<void> {
    const script = `set -e
      mkdir -p "$2"
      mount -t ext4 "$1" "$2"
      chmod 1777 "$2"
      exportfs -o "rw,fsid=$3,no_root_squash,no_subtree_check" "*:$2"
      ip addr add "$4/24" dev vec0
      busybox arping -q -A -c 1 -I vec0 "$4"`;
    await this.run(script, { args: [device, mountpoint, String(fsid), address] });
  }

  /** The locks that lockd holds here, on one device (`/dev/ubda`) or on all. */
  async nfsLocks(device?: string): Promise<NfsLock[]> {
    // One job and three processes: this is asked again and again while a takeover runs on the same machine.
    const script = `cat /proc/locks && echo
      for comm in /proc/[0-9]*/comm; do
        if read -r name <"$comm" && [ "$name" = lockd ]; then echo "\${comm%/comm}"; fi
      done 2>/dev/null
      echo
      [ -z "$1" ] || stat -c %t:%T "$1"`;
    const { stdout } = await this.run(script, { args: [device ?? ''] });
    const [locks = '', lockd = '', numbers = ''] = stdout.split(/^\n/m);
    return parseNfsLocks(
      locks,
      path.basename(lockd.trim()),
      device === undefined ? undefined : numbers.trim(),
    );
  }

  /** What is mounted, pseudo file systems too. */
  async mounts(): Promise<Mount[]> {
    return parseMounts(await this.read('/proc/mounts'));
  }
}
