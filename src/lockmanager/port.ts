import type { Action, HostContext, Obstacle } from '../host/action.js';
import type { ExportedFilesystem, PathExport } from '../host/actions/exports.js';
import type { Host } from '../host/host.js';
import type { ExportEntry } from '../host/reading/exports.js';
import type { KernelLock } from '../host/reading/locks.js';
import type { Monitored } from '../host/reading/statd.js';

/** The part of a file system that a lock manager needs to know. */
export interface LockedFilesystem {
  readonly fsid: string;
  readonly device: string;
  readonly mountpoint: string;
}

/** What drivers need beside the machine. */
export interface LockManagerContext extends HostContext {
  /** Whether the NLM program is registered with this host's rpcbind; undefined: that does not answer. */
  readonly nlmRegistered: () => Promise<boolean | undefined>;
  /** Whether an RPC program is registered with the rpcbind behind a local socket. */
  readonly registeredAt: (rpcbindSocket: string, program: number) => Promise<boolean>;
}

export type LockManagerAction = Action<LockManagerContext>;

/** How the server learns what to export. */
export interface Exports {
  /** B-5: one export comes, and never one of an empty mount point. */
  make(one: PathExport, filesystem: ExportedFilesystem): LockManagerAction;
  /** one export goes. `moving`: all file systems of the address, whose exports go too. */
  takeAway(
    one: PathExport,
    filesystem: ExportedFilesystem,
    moving: readonly ExportedFilesystem[],
  ): LockManagerAction;
  /** B-5 where somebody else exports (managed_by_others): that it is so. Absent: exportfs's table tells. */
  expect?(one: PathExport, filesystem: ExportedFilesystem): LockManagerAction;
  /** Whether one export is as B-5 makes it, clients and options too. */
  has(one: PathExport, filesystem: ExportedFilesystem): Promise<boolean>;
  /** Everything that is exported now; nothing where that which exports does not run. */
  current(): Promise<readonly ExportEntry[]>;
  /** What shows that to a person. Absent: "exportfs -v". */
  readonly shownBy?: string;
}

/** A lock that some client holds on a file system. */
export type LockOnFile = Pick<KernelLock, 'inode' | 'mode' | 'start' | 'end'>;

/**
 * unregistered: it runs, but no client finds it, as after an rpcbind that was started anew. silent: it is found, and does
 * not answer. deaf: it serves, and can be told nothing until it is started anew. anew: it is not the one that the clients of the address had their locks from.
 */
export type DaemonState = 'running' | 'silent' | 'unregistered' | 'deaf' | 'anew' | 'dead';

/** How a lock manager is, for `status`. */
export interface Health {
  /** By their names. One that does not run is a failure of `status`. */
  readonly daemons: Readonly<Record<string, DaemonState>>;
  readonly inGrace: boolean;
  /** Seconds until the grace ends by itself; 0 when it is over. Absent: nobody can tell. */
  readonly graceLeft?: number;
  /** Whose new locks wait in that grace beside those of this address: other addresses, paths that are exported. */
  readonly waiting?: readonly string[];
  /** Hosts that its statd monitors. */
  readonly clients: number;
  /** What else of it can be counted, by what is counted: "nfsd threads". */
  readonly counts: Readonly<Record<string, number>>;
}

/** The part of the node in which an address is served. */
export interface ServingPlace {
  /** As seen from there: commands, /run and /var/lib/nfs, the kernel's files. */
  readonly host: Host;
  /** The interface of the floating IP there. */
  readonly interface: string;
  /** Where the callout there finds its serving links, as the node itself sees it. */
  readonly run: string;
  /** What stands before a command that is to run there; empty where it is the node itself. */
  readonly enter: readonly string[];
  /** Whether commands can run there: what a takeover left that was killed in B-2 is not whole. Where it is not said, they can. */
  canBeEntered?(): boolean;
  /** Whether nothing is served from there, as a takeover was ended in B-2, or a release in A-4. Where it is not said, it is whole. */
  isUnfinished?(): boolean;
  /** Why nothing can be served from there, as a sentence; undefined: it is there. */
  absence(): string | undefined;
}

/** What B-2 does beside entering grace. */
export interface GraceFacts {
  /** B-2 comes once for each fsid; else one grace covers all of an address. */
  readonly gracePerFsid: boolean;
  /** Which locks B-2 drops: `node` means those of every address that the node serves, whose clients must then be notified too. */
  readonly graceTakesLocksOf: 'fsid' | 'address' | 'node';
  /** B-2 takes the exports of those other addresses away. */
  readonly graceTakesExports: boolean;
  /** Clients that statd knows already are announced again when they ask for a lock, as the lock manager is a new one. */
  readonly announcesAgain: boolean;
}

/** What a lock manager can do for file systems that every node exports. */
export interface SharedLocks {
  /**
   * Puts this node's lock manager into grace, for the whole length of one also where it is in one already, and takes nobody's locks.
   * Nothing to do where it does not run: then it grants nothing, and begins with a grace. A remark says so.
   */
  joinGrace(): LockManagerAction;
  /** what clients hold through this address goes, in a grace that runs, as far as the lock manager knows through which they hold it. */
  dropLocks(): LockManagerAction;
  /**
   * A-3, after that: all that these clients hold here goes, as if each had rebooted; through other addresses too. mon_names. Returns those
   * of whom that is not certain.
   */
  forgetClients(clients: readonly string[], signal: AbortSignal): Promise<readonly string[]>;
}

/**
 * A lock manager of one address, as the steps need it: A-3 drops the locks of one fsid, B-2 enters grace for one. Making
 * actions has no effect; see Action for what becomes of them. What most have in common is in kernel.ts.
 */
export interface LockManager extends ServingPlace, GraceFacts {
  readonly name: string;
  /** A-2, B-5. */
  readonly exports: Exports;
  /** Absent: it cannot serve file systems that every node exports. */
  readonly shared?: SharedLocks;
  /** what is said of TCP connections that the kernel could not cut; absent: they do no harm. */
  readonly leftConnections?: string;
  /** */
  dropLocks(filesystem: LockedFilesystem): readonly LockManagerAction[];
  /** A-4, before the file systems are unmounted: whatever else of the lock manager keeps them busy. */
  beforeUnmount(filesystems: readonly LockedFilesystem[]): readonly LockManagerAction[];
  /** B-2, before recording starts: while nothing can be reclaimed. */
  beforeGrace(filesystem: LockedFilesystem): readonly LockManagerAction[];
  /** As recording starts: notes which process the clients have their locks from, where that can die and be started anew by itself. */
  noteServer?(): void;
  /** B-2, after recording has started: from here on reclaims are answered. */
  enterGrace(filesystem: LockedFilesystem): readonly LockManagerAction[];
  /** B-4, once the address is up. */
  afterAddressUp(): readonly LockManagerAction[];
  /**
   * Ends the grace of this address, and of no other, before its time; what then is left of it, graceLeft says. Undefined: this lock
   * manager cannot.
   */
  readonly endGrace: (() => LockManagerAction) | undefined;
  /** Whether a grace entered earlier still accepts reclaims; undefined where the driver cannot see it. */
  inGrace(): Promise<boolean | undefined>;
  /** Whether the lock manager serves, or can again after `mend`: else only a new grace helps. */
  isUp(context: LockManagerContext): Promise<boolean>;
  /** B-2 of an address that is served here already: what of it has died, and can be started anew without a grace. */
  mend(): readonly LockManagerAction[];
  /** For how long it accepts reclaims, seconds: in the grace that it entered last, or where it does so now. */
  graceSeconds(): number;
  /** What `heldLocks` goes by, for people: "lockd's locks in /proc/locks". */
  readonly heldLocksText: string;
  /** Whole seconds until the grace that runs ends by itself, 0 where none runs; undefined: the driver cannot tell. */
  graceLeft(): Promise<number | undefined>;
  /**
   * What it holds on a file system for its clients; none where that is not mounted. Undefined where nobody can know: then
   * the audit goes by the clients, as after a crash. Throws FailoverError where something else is mounted there.
   */
  heldLocks(filesystem: LockedFilesystem): Promise<readonly LockOnFile[] | undefined>;
  /** The clients that its statd monitors, and the user that runs the callout; undefined where there is no statd. */
  monitored(): Promise<Monitored | undefined>;
  /**
   * Why its statd has no client recorded; undefined: its callout was run as its user and could, or no statd runs yet. `address`: whose
   * journal that must be able to write to, once it is there.
   */
  calloutFault(address: string | undefined): Promise<Obstacle | undefined>;
  /** Whether the rpc.statd runs that records for the address. */
  statdRuns(): boolean;
  /** Undefined where it has nothing to say about this address. */
  health(context: LockManagerContext): Promise<Health | undefined>;
}
