import type { StepName } from '../step-names.js';

/** What /etc/nlm-failover.toml says, validated, with defaults filled in, deeply frozen. */
export interface Config {
  /** The file it was read from. */
  readonly file: string;
  /** This node's name, as it appears in journal.<node> and in the record. */
  readonly node: string;
  readonly lockManager: LockManagerConfig;
  readonly timeouts: TimeoutsConfig;
  readonly hooks: HooksConfig;
  readonly fencing: FencingConfig;
  readonly floatingIps: readonly FloatingIp[];
}

export interface LockManagerConfig {
  /** "auto", or a driver's name. */
  readonly driver: string;
  /** Whether takeover may end a grace before its time; absent: as `reclaimed`, where the driver can. */
  readonly endGrace?: 'reclaimed' | 'timer';
  /** The keys of the drivers as the file has them, accepted; settingOf reads them and knows their defaults. */
  readonly given: Readonly<Record<string, unknown>>;
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
  /** For the proof that the node which has an address is down. */
  readonly fencing: number;
  /** For every node that exports a shared file system to enter grace. */
  readonly barrier: number;
  readonly ctdb: CtdbTimeouts;
}

/** Of the barrier of all nodes where CTDB moves the addresses (src/ctdb), in seconds; `ctdb_NAME` each. */
export interface CtdbTimeouts {
  /** For the other nodes, in each phase. */
  readonly wait: number;
  /** From the first start of all to the last one that the graces cover. */
  readonly spread: number;
  /** Of a grace: until the last client has been notified; until it has its locks again. */
  readonly notify: number;
  readonly reclaim: number;
  /** The refusal ends by itself so long after its process has ended. */
  readonly refuse: number;
  /** No node that has its locks refuses longer, but for `wait` in which it opens. */
  readonly closed: number;
  /** So long after the last takeip or releaseip nothing more is expected to move. */
  readonly quiet: number;
}

export interface FencingConfig {
  /** What proves that a node is down: an absolute path, and its arguments, in which `{node}` stands for that node. */
  readonly command?: Program;
}

/** The events that a program can be run at: how an operation ended, and that locks were lost. */
export const hookEvents = ['done', 'failed', 'lost'] as const;
export type HookEvent = (typeof hookEvents)[number];

/** An absolute path, and its arguments. */
export type Program = readonly [program: string, ...args: string[]];

export interface HooksConfig {
  /** What is run. */
  readonly on: { readonly [Event in HookEvent]?: Program };
  /** How long each may take, in seconds. */
  readonly deadline: number;
}

/** What somebody else may do of an address, in place of nlm-failover. */
export const managedParts = ['mount', 'export', 'address'] as const;
export type ManagedPart = (typeof managedParts)[number];

export interface FloatingIp {
  /** Canonical text without prefix: 10.10.1.1, fd00::1 (RFC 5952). */
  readonly address: string;
  readonly family: 4 | 6;
  readonly prefix: number;
  readonly interface: string;
  /** As configured; see notifyNames for what SM_NOTIFY carries. */
  readonly names: readonly string[];
  /** Whether SM_NOTIFY comes as an even state, then an odd one; absent: as one odd state. */
  readonly legacyNotify?: true;
  /** Absolute directory in which sm_<address> is made. */
  readonly stateDirectory: string;
  /** Whether it may lie where clients with AUTH_SYS reach it. */
  readonly trustClients: boolean;
  /** What carries the record and nothing else, and is never exported; absent: the record lies elsewhere. See volumesOf. */
  readonly stateVolume?: Volume;
  /** What is exported: at least one, in the order of the file. Those that every node exports, where it has none of its own: see `shared`. */
  readonly filesystems: readonly Filesystem[];
  /** Its file systems are those of [[shared_filesystem]]; absent: they are its own, and move with it. */
  readonly shared?: Sharing;
  /** What somebody else does as the file says: checked, and never done. Absent: nothing. See isManaged. */
  readonly managedByOthers?: readonly ManagedPart[];
}

/** Of file systems that every node has and exports: nothing of them moves with an address, and a lock is taken through any node. */
export interface Sharing {
  /** The nodes that export them, by their names in the record, each once, in the order of the file. */
  readonly nodes: readonly string[];
}

/** A file system that moves with an address. */
export interface Volume {
  /** Empty where others mount it, and the file does not say what: whatever is mounted then. */
  readonly device: string;
  readonly mountpoint: string;
  /** Empty only where others mount it. */
  readonly type: string;
  /** Mount options, comma separated; may be empty. */
  readonly options: string;
}

/** One that is exported. */
export interface Filesystem extends Volume {
  /** Decimal digits, or a UUID as lower-case text with dashes. */
  readonly fsid: string;
  /** Of NFS-Ganesha; absent: it does not export it. */
  readonly exportId?: number;
  /** A file with its EXPORT block, where the administrator has written one. */
  readonly exportBlock?: string;
  /** No node mounts it: NFS-Ganesha reaches it by a library, and `mountpoint` is only its path there. */
  readonly isUnmounted?: true;
  /** The GlusterFS volume that it is, on whose bricks a node's locks may outlive the node. */
  readonly glusterVolume?: string;
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
