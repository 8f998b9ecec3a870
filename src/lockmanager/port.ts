import type { Action, HostContext } from '../host/action.js';
import type { InstanceContext } from './lockd-netns/daemons.js';
import type { Host } from '../host/host.js';

export type DriverName = 'nlm-fsid' | 'lockd' | 'lockd-netns';

/** The part of a file system that a lock manager needs to know. */
export interface LockedFilesystem {
  readonly fsid: string;
  readonly device: string;
  readonly mountpoint: string;
}

/** A part of the host in which an address is served apart from the others. */
export interface ServicePlace {
  /** As seen from there: its commands, its /run and /var/lib/nfs, its kernel files. */
  readonly host: Host;
  /** What stands before a command that runs there. */
  readonly prefix: readonly [string, ...string[]];
  /** The interface of the floating IP there. */
  readonly interface: string;
  /** Where the callout there finds its serving links, as the host itself sees it. */
  readonly run: string;
  /** Whether it is there at all. */
  exists(): boolean;
}

/** What drivers need beside the machine. */
export interface LockManagerContext extends InstanceContext {
  /** Whether the NLM program is registered with this host's rpcbind; undefined: that does not answer. */
  readonly nlmRegistered: () => Promise<boolean | undefined>;
}

/**
 * A lock manager, as the steps need it: A-3 drops the locks of one fsid, B-2 enters grace for one.
 * Making actions has no effect; see Action for what becomes of them.
 */
export interface LockManager {
  readonly name: DriverName;
  /**
   * How far B-2 reaches: with 'fsid' it comes once for each; with 'address' one grace covers them all;
   * with 'node' too, but the locks of every other address served here go as well, so that their
   * clients must be told.
   */
  readonly graceScope: 'fsid' | 'address' | 'node';
  /** Where the address is served; undefined: on the host itself. */
  readonly place?: ServicePlace;
  /** */
  dropLocks(filesystem: LockedFilesystem): readonly Action<LockManagerContext>[];
  /** A-4, before the file systems are unmounted: whatever else of the lock manager keeps them busy. */
  beforeUnmount(filesystems: readonly LockedFilesystem[]): readonly Action<LockManagerContext>[];
  /** B-2, before recording starts: while nothing can be reclaimed. */
  beforeGrace(filesystem: LockedFilesystem): readonly Action<LockManagerContext>[];
  /** B-2, after recording has started: from here on reclaims are answered. */
  enterGrace(filesystem: LockedFilesystem): readonly Action<LockManagerContext>[];
  /** B-4, once the address is up. */
  readonly afterAddressUp?: () => readonly Action<LockManagerContext>[];
  /** Whether a grace entered earlier still accepts reclaims; undefined where the driver cannot see it. */
  inGrace(context: HostContext): boolean | undefined;
  /** Whether the lock manager serves at all. */
  isUp(context: HostContext): boolean;
}
