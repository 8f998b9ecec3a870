import { inGuest } from '../project-root.js';
import type { Lab } from '../lab.js';
import type { Server } from '../server.js';
import type { SiteTraits } from '../sites/traits.js';

/** For `labUnavailable`. */
export const glusterCommands = ['glusterd', 'gluster', 'mount.glusterfs'];

/** The volume that both export, and its Export_Id. */
export const volume = 'gv';
export const exportId = 77;
/** The one that carries the records. */
export const recordVolume = 'state';

/**
 * What a volume has whose locks are to outlive a node: a server that is silent is given up first, and the locks of a dead node after that. Neither
 * before a guest that is only slow has answered; the locks not before the other node is in grace, which with a cluster manager that fences first
 * was more than 15 s, and on a busy machine a minute.
 */
export const lockOptions = {
  'cluster.quorum-type': 'none',
  'network.ping-timeout': '20',
  'server.tcp-user-timeout': '90',
  'server.keepalive-time': '2',
  'server.keepalive-interval': '1',
  'server.keepalive-count': '3',
} as const;

/** What a volume has, and how it is mounted, that carries records. */
export const recordOptions = Object.fromEntries(
  ['write-behind', 'quick-read', 'io-cache', 'read-ahead', 'stat-prefetch', 'open-behind'].map((layer) => [
    `performance.${layer}`,
    'off',
  ]),
);
export const recordMount = 'direct-io-mode=enable,attribute-timeout=0,entry-timeout=0';

/** A command of glusterd takes a guest a second, and on a busy machine many times as long. */
const timeoutSeconds = 180;

/** A POSIX lock in a brick, by the host whose client holds it: a Ganesha on that server. */
export interface BrickLock {
  readonly host: string;
  readonly type: string;
}

// A takeover that waits for the locks of a dead node to go asks the same, and takes away what it has read: where there is nothing, once more.
const dumped = `my ($volume, $server) = @ARGV;
  open my $in, '<', "/run/gluster/vols/$volume/$server-srv-brick-$volume.pid" or die "pid: $!\\n";
  chomp(my $pid = <$in>);
  my $dumps = "/run/gluster/srv-brick-$volume.$pid.dump.*";
  while (1) {
    my %before = map { $_ => 1 } glob $dumps;
    kill 'USR1', $pid or die "brick $pid: $!\\n";
    for (1 .. 30) {
      for my $dump (grep { !$before{$_} } glob $dumps) {
        open my $file, '<', $dump or next;
        my $text = do { local $/; <$file> } // '';
        next unless $text =~ /^DUMP-END-TIME/m;
        unlink $dump;
        print grep { /posixlk.*\\(ACTIVE\\)/ } split /^/m, $text;
        exit;
      }
      select undef, undef, undef, 0.1;
    }
  }`;

/** GlusterFS on the guests A and B: glusterd, and volumes of two bricks, one on each; A's lie on the lab's first disk, B's on the second. */
export class Gluster {
  readonly #servers: readonly { readonly server: Server; readonly device: string }[];
  readonly #first: Server;

  constructor({ a, b, disks }: Pick<Lab, 'a' | 'b' | 'disks'>) {
    this.#first = a;
    this.#servers = [
      { server: a, device: disks.vol1.device },
      { server: b, device: disks.vol2.device },
    ];
  }

  /** Starts glusterd on both, until each knows the other. */
  async start(): Promise<void> {
    const names = this.#servers.flatMap(({ server: { address, name } }) => [address, name]);
    const script = inGuest('test/lab/sh/start-glusterd');
    await Promise.all(
      this.#servers.map(({ server, device }) => server.run([script, device, ...names], { timeoutSeconds })),
    );
    const others = this.#servers.map(({ server }) => server.name).slice(1);
    for (const name of others)
      await this.#first.run(['gluster', '--mode=script', 'peer', 'probe', name], { timeoutSeconds });
    // Connected it is before it belongs to the cluster (glusterd-sm.c), and each says that for itself.
    const known = `until gluster peer status | grep -q 'State: Peer in Cluster (Connected)'; do sleep 0.3; done`;
    await Promise.all(this.#servers.map(({ server }) => server.run(known, { timeoutSeconds })));
  }

  /** Makes a volume with a brick on each server, or on one alone, and starts it. */
  async createVolume(
    name: string,
    options: Readonly<Record<string, string>> = {},
    only?: Server,
  ): Promise<void> {
    const servers = this.#servers.map(({ server }) => server).filter((server) => server === (only ?? server));
    const replica = servers.length > 1 ? ['replica', String(servers.length)] : [];
    const bricks = servers.map((server) => `${server.name}:/srv/brick/${name}`);
    await this.#gluster(['volume', 'create', name, ...replica, ...bricks, 'force']);
    if (Object.keys(options).length > 0) await this.setOptions(name, options);
    await this.#gluster(['volume', 'start', name]);
  }

  async setOptions(name: string, options: Readonly<Record<string, string>>): Promise<void> {
    await this.#gluster(['volume', 'set', name, ...Object.entries(options).flat()]);
  }

  /** Mounts a volume by the server's own glusterd, as mount(8) does. */
  async mount(server: Server, name: string, at: string, options = ''): Promise<void> {
    const words = options === '' ? [] : ['-o', options];
    await server.run('mkdir -p "$1" && shift && exec mount -t glusterfs "$@"', {
      args: [at, ...words, `localhost:/${name}`, at],
      timeoutSeconds,
    });
  }

  /**
   * The locks in the brick of a volume on a server, as its dump has them (glusterfs --signal: SIGUSR1; xlators/features/locks): those of NFS clients
   * are nowhere else, not in /proc/locks.
   */
  async brickLocks(server: Server, name: string): Promise<readonly BrickLock[]> {
    const { stdout } = await server.run(['perl', '-e', dumped, name, server.name]);
    return [...stdout.matchAll(/\(ACTIVE\)=type=(\w+),.*\bHOST:(.+?)-PC_NAME:/gu)].map(
      ([, type = '', host = '']) => ({ host, type }),
    );
  }

  async #gluster(words: readonly string[]): Promise<void> {
    await this.#first.run(['gluster', '--mode=script', ...words], { timeoutSeconds });
  }
}

/** Has NFS-Ganesha on a server export the volume, as ganesha-gluster-config(8) has it. */
export async function exportVolume(
  server: Server,
  { options }: { readonly options?: SiteTraits['options'] } = {},
): Promise<void> {
  const squash = { root_squash: 'Root_Squash', all_squash: 'All_Squash' };
  const block = `EXPORT {
  Export_Id = ${exportId}; Path = "/${volume}"; Pseudo = "/${volume}"; Access_Type = RW;
  Squash = ${squash[options as keyof typeof squash] ?? 'No_Root_Squash'};
  Protocols = 3; Transports = TCP; SecType = sys; Disable_ACL = true;
  FSAL { Name = GLUSTER; Hostname = localhost; Volume = ${volume}; }
}
`;
  const script = `set -e
    printf %s "$1" >/run/export.conf
    exec dbus-send --system --print-reply --reply-timeout=60000 --dest=org.ganesha.nfsd /org/ganesha/nfsd/ExportMgr \\
      org.ganesha.nfsd.exportmgr.AddExport string:/run/export.conf "string:EXPORT(Export_Id=$2)"`;
  await server.run(script, { args: [block, String(exportId)] });
}
