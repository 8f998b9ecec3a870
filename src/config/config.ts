import type { StepName } from '../step-names.js';

/** What /etc/nlm-failover.toml says, validated, with defaults filled in, deeply frozen. */
export interface Config {
  /** The file it was read from. */
  readonly file: string;
  /** This node's name, as it appears in journal.<node> and in the record. */
  readonly node: string;
  readonly lockManager: LockManagerConfig;
  readonly timeouts: TimeoutsConfig;
  readonly floatingIps: readonly FloatingIp[];
}

export interface LockManagerConfig {
  readonly driver: 'auto' | 'nlm-fsid' | 'lockd' | 'lockd-netns';
  /** Where the nfsd file system is mounted; default /proc/fs/nfsd. */
  readonly nfsd: string;
  /** How this host restarts nfsd and lockd, as an argument vector. */
  readonly restart: readonly [string, ...string[]];
  /** lockd-netns: what joins an instance to the network; default macvlan, on the floating IP's interface. */
  readonly link: 'macvlan' | 'ipvlan' | 'veth';
  /** lockd-netns: the existing bridge that the host's end of a veth joins; there exactly with link "veth". */
  readonly bridge?: string;
  /** lockd-netns: nfsd threads of each instance; default 8. */
  readonly threads: number;
  /** lockd-netns: seconds of an instance's grace period; absent: the host's own. */
  readonly grace?: number;
  /** lockd-netns: the ports that are to be the same in every instance, TCP and UDP. */
  readonly ports: InstancePorts;
}

/** A service that is absent takes any free port. */
export interface InstancePorts {
  readonly mountd?: number;
  readonly statd?: number;
  readonly lockd?: number;
}

/** Every step but B-3, which lasts as long as the grace unless it is given a length of its own; see [timeouts]. */
export type TimedStep = Exclude<StepName, 'B-3'>;

/** How long is waited at the longest, in seconds. */
export interface TimeoutsConfig {
  /** For each step as a whole; A-3 and B-2 come once for each fsid. */
  readonly steps: Readonly<Record<TimedStep, number>>;
  /** B-3: how long the clients are tried; absent: as long as the grace period can help them. */
  readonly notify?: number;
  /** For what is no step: to look at the host before the first, to open the record. */
  readonly step: number;
  /** For what the kernel and daemons do in their own time: to register, to end, duplicate address detection. */
  readonly settle: number;
  /** how long an umount that finds the file system busy is tried again. */
  readonly busy: number;
  /** For another process to let go of monitors.db. */
  readonly record: number;
}

export interface FloatingIp {
  /** Canonical text without prefix: 10.10.1.1, fd00::1 (RFC 5952). */
  readonly address: string;
  readonly family: 4 | 6;
  readonly prefix: number;
  readonly interface: string;
  /** As configured; see notifyNames for what SM_NOTIFY carries. */
  readonly names: readonly string[];
  /** Absolute directory in which sm_<address> is made. */
  readonly stateDirectory: string;
  /** At least one, in the order of the file. */
  readonly filesystems: readonly Filesystem[];
}

export interface Filesystem {
  /** Decimal digits, or a UUID as lower-case text with dashes. */
  readonly fsid: string;
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  /** Mount options, comma separated; may be empty. */
  readonly options: string;
  /** At least one. */
  readonly exports: readonly Export[];
}

export interface Export {
  readonly path: string;
  /**
   * One client specification as exportfs(8) takes it before ":path": an IPv6 address in brackets, a prefix
   * length behind them. /var/lib/nfs/etab has it without the brackets.
   */
  readonly clients: string;
  /** exports(5) options without fsid=, comma separated; may be empty. */
  readonly options: string;
}
