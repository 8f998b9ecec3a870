import type { Action, HostContext } from '../host/action.js';

export type DriverName = 'nlm-fsid' | 'lockd';

/** The part of a file system that a lock manager needs to know. */
export interface LockedFilesystem {
  readonly fsid: string;
  readonly device: string;
  readonly mountpoint: string;
}

/** What drivers need beside the machine. */
export interface LockManagerContext extends HostContext {
  /** Whether the NLM program is registered with this host's rpcbind. */
  readonly nlmRegistered: () => Promise<boolean>;
}

/**
 * A lock manager, as the steps need it: A-3 drops the locks of one fsid, B-2 enters grace for one.
 * Making actions has no effect; see Action for what becomes of them.
 */
export interface LockManager {
  readonly name: DriverName;
  /**
   * How far B-2 reaches: with 'fsid' it comes once for each; with 'node' one grace covers them all,
   * but the locks of every other address served here go too, so that their clients must be told.
   */
  readonly graceScope: 'fsid' | 'node';
  /** */
  dropLocks(filesystem: LockedFilesystem): readonly Action<LockManagerContext>[];
  /** B-2, before recording starts: while nothing can be reclaimed. */
  beforeGrace(filesystem: LockedFilesystem): readonly Action<LockManagerContext>[];
  /** B-2, after recording has started: from here on reclaims are answered. */
  enterGrace(filesystem: LockedFilesystem): readonly Action<LockManagerContext>[];
  /** Whether a grace entered earlier still accepts reclaims; undefined where the driver cannot see it. */
  inGrace(context: HostContext): boolean | undefined;
  /** Whether the lock manager serves at all. */
  isUp(context: HostContext): boolean;
}
