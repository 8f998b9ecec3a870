import type { Lab } from './lab.js';

/** The floating IP, the export and a file of the lab's own tests. */
export const floatingIp = '10.10.1.1';
export const mountpoint = '/mnt/vol1';
export const file = '/mnt/nfs/file';

/** The volume served by hand, as A does at the start and B after the failover. */
export function volume({ disks }: Lab): {
  device: string;
  mountpoint: string;
  fsid: number;
  address: string;
} {
  return { device: disks.vol1.device, mountpoint, fsid: 1234, address: floatingIp };
}

/** A serves the volume, both clients have it mounted and the holder has its lock. */
export async function lockOnA(lab: Lab): Promise<void> {
  const { a, c } = lab;
  await a.startNfs({ pastGrace: true });
  await a.serveByHand(volume(lab));
  for (const name of ['holder', 'rival'] as const) {
    await c.client(name).mount({ server: floatingIp, path: mountpoint });
  }
  await c.client('holder').lock(file);
}

/** */
export async function releaseByHand({ a }: Lab): Promise<void> {
  await a.run(['ip', 'addr', 'del', `${floatingIp}/24`, 'dev', 'vec0']);
  await a.run(['exportfs', '-u', `*:${mountpoint}`]);
  await a.run('echo "$1" >/proc/fs/nfsd/unlock_filesystem', { args: [mountpoint] });
  // Told to forget twice in a second the kernel does nothing until that has passed (net/sunrpc/cache.c, write_flush).
  const unmount = `for _ in $(seq 10); do
      exportfs -f
      umount "$1" 2>/dev/null && exit
      sleep 2
    done
    exec umount "$1"`;
  await a.run(unmount, { args: [mountpoint] });
}

/** B-3 with the stock sm-notify, from a record of the holder written by hand. */
export async function notifyByHand({ b, c }: Lab): Promise<void> {
  // sm-notify wants a name for the address it sends from.
  await b.write('/etc/hosts', `127.0.0.1 localhost\n${floatingIp} nfs1\n`);
  const script = `set -e
    mkdir -p /run/lab/nsm/sm /run/lab/nsm/sm.bak
    printf '0100007f 000186b5 00000003 00000010 %032d %s B\\n' 0 "$1" >"/run/lab/nsm/sm/$1"
    chown -R statd:nogroup /run/lab/nsm
    sm-notify -d -f -m 1 -v "$2" -P /run/lab/nsm 2>&1 | grep 'notified successfully'`;
  await b.run(script, { args: [c.client('holder').address, floatingIp] });
}
