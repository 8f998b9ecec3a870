import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import type { NfsClient } from '../client.js';
import type { Job } from '../guest.js';
import type { Lab } from '../lab.js';
import { dataFile, file, type Locked } from '../scenario-steps.js';
import type { Server } from '../server.js';
import {
  exportId,
  exportVolume,
  Gluster,
  lockOptions,
  recordMount,
  recordOptions,
  recordVolume,
  volume,
} from './gluster.js';
import { tryStorage } from './try-storage.js';

/** Nobody can end this grace: clients are notified and reclaim in it, at the end of a takeover on a busy machine. */
const graceSeconds = 40;
/** Seconds between two tries of the rival, each of which costs both servers 20 ms of CPU. */
export const rivalPause = 2;

/** Where both servers mount the volume that carries the records. */
export const records = '/shared';

/** Two addresses that serve what both servers export, the first one at home on A. */
export function sharedAddresses({ site }: Pick<Lab, 'site'>): readonly [string, string] {
  return [site.ip(1, []).address, site.ip(2, []).address];
}

/** Beyond `server.tcp-user-timeout`, for which a brick keeps the locks of a node that died. */
const barrierSeconds = 180;

/** Writes /etc/nlm-failover.toml on a server: the volume, which both export, and the addresses. */
async function configureShared(lab: Lab, server: Server): Promise<void> {
  const addresses = sharedAddresses(lab).map(
    (address) => `
[[floating_ip]]
address = "${address}/${address.includes(':') ? 64 : 24}"
interface = "vec0"
names = ["nfs.example.com"]
`,
  );
  const text = `[state]
directory = "${records}"

[timeouts]
settle = 40
barrier = ${barrierSeconds}

[lock_manager]
driver = "ganesha"

[[shared_filesystem]]
export_id = ${exportId}
path = "/${volume}"
gluster_volume = "${volume}"
nodes = ["A", "B"]
${addresses.join('')}`;
  await server.write('/etc/nlm-failover.toml', text);
}

/**
 * Both servers have the volume, exported by NFS-Ganesha, and the configuration; the volume for the records is made and not mounted yet. The clients
 * come up beside. `recordOn`: the one server that has a brick for the records; else both have.
 */
export async function prepareShared(lab: Lab, recordOn?: Server): Promise<Gluster> {
  for (const name of ['holder', 'rival'] as const) void lab.c.client(name).setUp();
  const { a, b } = lab;
  const gluster = new Gluster(lab);
  await gluster.start();
  await gluster.createVolume(volume, lockOptions);
  await gluster.createVolume(recordVolume, lockOptions, recordOn);
  await gluster.mount(a, volume, '/mnt/gv');
  await a.run('chmod 1777 /mnt/gv && umount /mnt/gv');
  await Promise.all(
    [a, b].map(async (server) => {
      await configureShared(lab, server);
      await server.startGanesha({ graceSeconds, callout: server.callout });
      await exportVolume(server, lab.site.traits);
    }),
  );
  return gluster;
}

/** Mounts the storage of the records as it has to be, and has both servers try it, without which none of them claims an address. */
export async function mountRecords(
  t: ExecutionContext,
  servers: readonly Server[],
  gluster: Gluster,
): Promise<void> {
  await gluster.setOptions(recordVolume, recordOptions);
  await Promise.all(servers.map((server) => gluster.mount(server, recordVolume, records, recordMount)));
  for (const { exitCode, stdout, stderr } of await tryStorage(servers)) t.is(exitCode, 0, stdout + stderr);
}

/** Has a server answer the calls into grace of the other, until the job is killed. */
export async function watchCalls(server: Server): Promise<Job> {
  const job = await server.start([server.tool, 'join-grace', '--watch'], { timeoutSeconds: 3600 });
  await server.run('until [ -s /run/nlm-failover/locks/join-grace.looked ]; do sleep 0.2; done');
  return job;
}

const heldSeconds = 600;
/** Between two looks, each of which starts a program in a guest, and has a brick write down all that it holds. */
const lookMs = 6000;

/** Waits until the bricks of a server hold locks of these hosts, and no others. @throws Error with what they hold instead, and what the clients' kernel says */
export async function untilHeldBy(
  gluster: Gluster,
  { c }: Pick<Lab, 'c'>,
  server: Server,
  hosts: readonly string[],
): Promise<void> {
  const wanted = hosts.toSorted().join();
  let held: string | undefined;
  for (const end = Date.now() + heldSeconds * 1000; Date.now() < end && held !== wanted;) {
    if (held !== undefined) await delay(lookMs);
    const holders = (await gluster.brickLocks(server, volume)).map(({ host }) => host);
    held = holders.toSorted().join();
  }
  if (held !== wanted)
    throw new Error(
      `the brick of ${server.name} has locks of ${held}, not of ${wanted}\n${await c.kernelLog()}`,
    );
}

/** When NFS-Ganesha on a server has entered grace since then, by its log, to the second; ms since 1970. */
export async function inGraceSince(server: Server, since: number): Promise<number | undefined> {
  const { stdout } = await server.run(['grep', 'NFS Server Now IN GRACE', '/run/ganesha.log']);
  const times = [...stdout.matchAll(/^(\d+)\/(\d+)\/(\d+) (\d+:\d+:\d+) /gmu)].map(
    ([, day, month, year, time]) => Date.parse(`${year}-${month}-${day}T${time}Z`),
  );
  return times.find((time) => time >= since - 1000);
}

// Opened before, so that the one thing it then waits for is the answer to its lock call.
const openedTry = `use Fcntl qw(:flock);
  my ($file, $go) = @ARGV;
  open my $handle, '+<', $file or die "$file: $!\\n";
  open my $out, '>', "$go.pid" or die;
  syswrite $out, "$$\\n";
  select undef, undef, undef, 0.05 until -e $go;
  print flock($handle, LOCK_EX | LOCK_NB) ? 'got' : 'refused';`;

/** A try of a client to get a lock of which its server may not hear the end. */
export interface OpenedTry {
  /** Has it begin; resolves when the call waits for its answer (state D of proc_pid_stat(5)). */
  begin(): Promise<void>;
  gotIt(): Promise<boolean>;
}

export async function openTry(client: NfsClient, path: string): Promise<OpenedTry> {
  const go = '/run/opened-try';
  const job = await client.start(['perl', '-e', openedTry, path, go], { timeoutSeconds: 600 });
  await client.run('until [ -s "$1.pid" ]; do sleep 0.05; done', { args: [go] });
  const script = `read -r pid <"$1.pid"
    : >"$1"
    until read -r _ _ state _ <"/proc/$pid/stat" && [ "$state" = D ]; do sleep 0.05; done`;
  return {
    begin: async () => void (await client.run(script, { args: [go] })),
    gotIt: async () => (await job.result()).stdout === 'got',
  };
}

/** The holder holds the lock on `file` through the first address, the rival one of its own through the second: so its server need not monitor it anew at each try, and all of a try is the storage's. */
export async function lockThroughBoth(lab: Lab): Promise<Locked> {
  const [address, staying] = sharedAddresses(lab);
  const [holder, rival] = [lab.c.client('holder'), lab.c.client('rival')];
  await Promise.all([
    holder.mount({ server: address, path: `/${volume}` }),
    rival.mount({ server: staying, path: `/${volume}` }),
  ]);
  const lock = await holder.lock(file);
  await holder.write(dataFile, 'written before');
  await rival.lock('/mnt/nfs/rival');
  return { address, holder, rival, lock };
}
