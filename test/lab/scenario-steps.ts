import type { HeldLock, NfsClient } from './client.js';
import type { Lab } from './lab.js';
import type { Server } from './server.js';
import { callout, configure, mountpointOf, nlmFailover, type SiteIp, type SiteOptions } from './site.js';

/** The floating IP that moves, its volume, and a file on it as clients see it. */
export const moving: SiteIp = {
  address: '10.10.1.1',
  filesystems: [{ disk: 'vol1', fsid: 1234 }],
  stateDirectory: '/mnt/vol1/.nlm',
};
export const file = '/mnt/nfs/file';
export const dataFile = '/mnt/nfs/data';

export interface Preparation extends SiteOptions {
  /** Whether an address with locks comes back to A: else A's instances have the shortest grace, which first locks wait out. */
  readonly failback?: boolean;
}

const shortestGrace = 10;

/** Both servers run NFS with the callout and know the same addresses; nothing is served yet. */
export async function prepareServers(
  lab: Lab,
  ips: readonly SiteIp[] = [moving],
  preparation: Preparation = {},
): Promise<void> {
  await Promise.all([lab.a, lab.b].map((server) => prepareServer(lab, server, ips, preparation)));
}

/** One of them, as after its boot. */
export async function prepareServer(
  lab: Lab,
  server: Server,
  ips: readonly SiteIp[],
  { failback = false, ...options }: Preparation = {},
): Promise<void> {
  const graceSeconds = server === lab.a && !failback ? shortestGrace : lab.graceSeconds;
  await configure(lab, server, ips, { graceSeconds, ...options });
  await server.startNfs({ callout, graceSeconds: lab.graceSeconds });
  await server.endGrace();
}

/** Starts an address on a server for the first time, past its grace, so that locks are to be had at once. */
export async function startAddress(server: Server, { address }: SiteIp): Promise<void> {
  await nlmFailover(server, ['takeover', address]);
  await endGrace(server, address);
}

/** Ends the grace of an address: of its instance, where it has one, else of the server. */
export async function endGrace(server: Server, address: string): Promise<void> {
  const script = `netns=/run/netns/nfs-$1 mnt=/run/nlm-failover/instances/$1/mnt
    [ -e "$netns" ] || exit 3
    # nfsd's own grace there is not to be ended (EBUSY: no NFSv4 client tracking), so a first lock waits for it.
    echo Y | nsenter "--net=$netns" "--mount=$mnt" tee /proc/fs/lockd/nlm_end_grace >/dev/null`;
  const { exitCode } = await server.run(script, { args: [address], reject: false });
  if (exitCode === 3) await server.endGrace();
  else if (exitCode !== 0) throw new Error(`the grace of ${address} could not be ended`);
}

export interface Locked {
  readonly holder: NfsClient;
  readonly rival: NfsClient;
  readonly lock: HeldLock;
}

/** Holder and rival have the export mounted; the holder has the lock on `file`, and has written data. */
export async function lockThrough(lab: Lab, { address, filesystems }: SiteIp): Promise<Locked> {
  const holder = lab.c.client('holder');
  const rival = lab.c.client('rival');
  const path = mountpointOf(filesystems[0]?.disk ?? 'vol1');
  await Promise.all([holder, rival].map((client) => client.mount({ server: address, path })));
  const lock = await holder.lock(file);
  await holder.write(dataFile, 'written before');
  return { holder, rival, lock };
}

/** The client reclaims on its own time after it was notified: until its lock is there, or 30 s are over. */
export async function reclaimed(server: Server, device: string, count = 1): Promise<boolean> {
  const end = performance.now() + 30_000;
  while ((await server.nfsLocks(device)).length < count) {
    if (performance.now() > end) return false;
    await server.run(['sleep', '0.1']);
  }
  return true;
}
