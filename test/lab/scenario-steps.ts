import type { HeldLock, NfsClient } from './client.js';
import type { Lab } from './lab.js';
import type { Server } from './server.js';
import { configure, nlmFailover, prepareVolumes, type SiteIp, type SiteOptions } from './site.js';

export const file = '/mnt/nfs/file';
export const dataFile = '/mnt/nfs/data';

export interface Preparation extends SiteOptions {
  /**
   * Whether an address with locks comes back to A: else A's instances have the shortest grace, so that it is over when A releases
   * the first time, and what A notes then is all that is locked.
   */
  readonly failback?: boolean;
}

const shortestGrace = 10;

/** Both servers run NFS with the callout and know the same addresses; nothing is served yet. */
export async function prepareServers(
  lab: Lab,
  ips: readonly SiteIp[] = [lab.moving],
  preparation: Preparation = {},
): Promise<void> {
  // They come up beside the servers; nearly every scenario has use for them.
  for (const name of ['holder', 'rival'] as const) void lab.c.client(name).setUp();
  await prepareVolumes(lab, lab.a, ips);
  await Promise.all([lab.a, lab.b].map((server) => prepareServer(lab, server, ips, preparation)));
}

/** One of them, as after its boot. */
export async function prepareServer(
  lab: Lab,
  server: Server,
  ips: readonly SiteIp[],
  { failback = false, ...options }: Preparation = {},
): Promise<void> {
  if (options.driver === 'ganesha') {
    const { graceSeconds = lab.graceSeconds } = options;
    await configure(lab, server, ips, options);
    await server.startGanesha({ graceSeconds, callout: server.callout });
    return;
  }
  const graceSeconds = server === lab.a && !failback ? shortestGrace : lab.graceSeconds;
  await configure(lab, server, ips, { graceSeconds, ...options });
  await server.startNfs({
    callout: server.callout,
    graceSeconds: options.graceSeconds ?? lab.graceSeconds,
    pastGrace: true,
  });
}

/** Starts an address on a server for the first time, past its grace, so that locks are to be had at once. */
export async function startAddress(server: Server, { address }: SiteIp): Promise<void> {
  await nlmFailover(server, ['takeover', address]);
  await server.endGrace(address);
}

export interface Locked {
  /** The floating IP that they use. */
  readonly address: string;
  readonly holder: NfsClient;
  readonly rival: NfsClient;
  readonly lock: HeldLock;
}

/** Holder and rival have the export mounted; the holder has the lock on `file`, and has written data. */
export async function lockThrough(lab: Lab, { address, filesystems }: SiteIp): Promise<Locked> {
  const holder = lab.c.client('holder');
  const rival = lab.c.client('rival');
  const path = lab.site.exportPath(filesystems[0]?.disk ?? 'vol1');
  await Promise.all([holder, rival].map((client) => client.mount({ server: address, path })));
  const lock = await holder.lock(file);
  await holder.write(dataFile, 'written before');
  return { address, holder, rival, lock };
}

/**
 * Seconds in which a cluster manager has moved an address, with the lock, on a machine that runs four labs: a move of two of them took 200 s there.
 * The state volume's multiple mount protection alone takes 22 s where a dead node had it mounted (Linux fs/ext4/mmp.c,
 * ext4_multi_mount_protect: it waits twice).
 */
export const patientSeconds = 600;

/**
 * The client reclaims on its own time after it was notified: until its lock is there, or two minutes are over. Seen on a busy
 * machine: where it is asked beside a takeover, that alone took 30 s.
 */
export async function reclaimed(server: Server, device: string, count = 1): Promise<boolean> {
  return server.untilLocked(device, count, 120);
}
