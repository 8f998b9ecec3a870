import path from 'node:path';
import { Guest } from './guest.js';
import { type Mount, type NfsLock, numbersOfMounted, parseMounts, parseNfsLocks } from './proc-tables.js';
import { inGuest } from './project-root.js';

export interface NfsOptions {
  /** Grace of lockd, and of nfsd, which has 10 s at least. The default 10. */
  readonly graceSeconds?: number;
  /** For `rpc.statd -H`, as the guest sees it. */
  readonly callout?: string;
  /** nfsd's threads; 4 by default. */
  readonly threads?: number;
  /** Whether the grace is ended at once, so that a test need not wait for its first lock. */
  readonly pastGrace?: boolean;
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
  /** The command, and the callout: those of the checkout, until `install`. */
  tool = inGuest('bin/nlm-failover');
  callout = inGuest('callouts/ha-callout');
  /** For the `restart` key of the configuration: stops and starts nfsd, as the unit of a distribution does. */
  readonly restartCommand: readonly string[] = [inGuest('test/lab/sh/restart-nfsd')];

  /**
   * Installs a Debian package without a Node of its own, which the lab can see, and has it used from then on: the checkout's program is
   * covered. With books of dpkg's own, as those of a whole system cost a guest seconds.
   */
  async install(deb: string): Promise<void> {
    const script = `set -e
      mkdir -p /run/lab/dpkg/info /run/lab/dpkg/updates
      : >/run/lab/dpkg/status
      : >/run/lab/dpkg/available
      [ -x /usr/bin/node ] || ln -s "$(command -v node)" /usr/bin/node
      dpkg --admindir=/run/lab/dpkg --log=/dev/null --force-depends -i "$1"
      shift
      for directory; do mount -t tmpfs -o mode=755 tmpfs "$directory"; done`;
    const covered = ['bin', 'dist', 'callouts', 'node_modules'].map((name) => inGuest(name));
    await this.run(script, { args: [deb, ...covered], timeoutSeconds: 180 });
    this.tool = '/usr/sbin/nlm-failover';
    this.callout = '/usr/lib/nlm-failover/callouts/ha-callout';
  }

  /** Starts statd, nfsd with lockd (version 3 only) and mountd. Locks are to be had after the grace. */
  async startNfs({
    graceSeconds = 10,
    callout,
    threads = 4,
    pastGrace = false,
  }: NfsOptions = {}): Promise<void> {
    const callouts = callout === undefined ? [] : [callout];
    const start = [inGuest('test/lab/sh/start-nfs'), String(graceSeconds), String(threads), ...callouts];
    await this.run(pastGrace ? `"$@" && exec ${inGuest('test/lab/sh/end-grace')}` : '"$@"', { args: start });
  }

  /** The same with NFS-Ganesha, on a bus of its own, which exports nothing and is in grace for so long. */
  async startGanesha({
    graceSeconds,
    callout,
  }: Required<Pick<NfsOptions, 'graceSeconds' | 'callout'>>): Promise<void> {
    await this.run([inGuest('test/lab/sh/start-ganesha'), String(graceSeconds), callout]);
  }

  /** Ends the grace of an address, or of the server; see sh/end-grace. */
  async endGrace(address?: string): Promise<void> {
    await this.run([inGuest('test/lab/sh/end-grace'), ...(address === undefined ? [] : [address])]);
  }

  /** Waits until lockd, or NFS-Ganesha, holds so many locks on a device, or on one file of it; whether it did before the time was over. */
  async untilLocked(device: string, count: number, seconds: number, inode?: string): Promise<boolean> {
    const argv = [inGuest('test/lab/sh/until-locked'), device, String(count), String(seconds)];
    if (inode !== undefined) argv.push(inode);
    const { exitCode, stderr } = await this.run(argv, { reject: false, timeoutSeconds: seconds + 60 });
    if (exitCode > 1) throw new Error(`${this.name}: until-locked: ${stderr}`);
    return exitCode === 0;
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

  /** The locks that lockd, or NFS-Ganesha, holds here, on one device (`/dev/ubda`) or on all. */
  async nfsLocks(device?: string): Promise<NfsLock[]> {
    // One job and three processes: this is asked again and again while a takeover runs on the same machine.
    const script = `cat /proc/locks && echo
      for comm in /proc/[0-9]*/comm; do
        if read -r name <"$comm" && [ "$name" = lockd ]; then echo "\${comm%/comm}"; fi
      done 2>/dev/null
      echo
      cat /proc/self/mountinfo`;
    const { stdout } = await this.run(script);
    const [locks = '', lockd = '', mounts = ''] = stdout.split(/^\n/m);
    const numbers = device === undefined ? undefined : numbersOfMounted(mounts, device);
    // Where it is not mounted, it has none.
    return device !== undefined && numbers === undefined
      ? []
      : parseNfsLocks(locks, path.basename(lockd.trim()), numbers);
  }

  /** What is mounted, pseudo file systems too. */
  async mounts(): Promise<Mount[]> {
    return parseMounts(await this.read('/proc/mounts'));
  }
}
