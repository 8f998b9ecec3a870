/** Where the demo's story is played: on real kernels, or in a rehearsal. */
export interface Stage {
  /** Said first: which of the two it is, and what of it is real. */
  readonly introduction: string;
  /** The floating IP. */
  readonly address: string;
  /** Runs `nlm-failover` with these arguments on a node; returns what it printed. Throws if it fails. */
  tool(node: 'A' | 'B', args: readonly string[]): Promise<string>;
  /** Ends what can be ended of A's first grace, as nobody has anything to reclaim yet; the first lock waits out the rest. */
  endGrace(node: 'A' | 'B'): Promise<void>;
  /** The holder mounts, takes the lock and writes. */
  lock(text: string): Promise<void>;
  /** Whether the rival got the lock just now. */
  rivalGetsLock(): Promise<boolean>;
  /** What lockd holds on a node, as lines of /proc/locks. */
  locksOn(node: 'A' | 'B'): Promise<readonly string[]>;
  /** Resolves when the holder has its lock on B again, false when it did not come. */
  reclaimed(): Promise<boolean>;
  /** What the holder wrote, read through the floating IP. */
  read(): Promise<string>;
  /** Lines of the clients' kernel log about failed reclaims. */
  failedReclaims(): Promise<readonly string[]>;
  stop(): Promise<void>;
}
