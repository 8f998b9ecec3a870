/** What /etc/nlm-failover.toml says, validated, with defaults filled in, deeply frozen. */
export interface Config {
  /** The file it was read from. */
  readonly file: string;
  /** This node's name, as it appears in journal.<node> and in the record. */
  readonly node: string;
  readonly lockManager: LockManagerConfig;
  readonly floatingIps: readonly FloatingIp[];
}

export interface LockManagerConfig {
  readonly driver: 'auto' | 'nlm-fsid' | 'lockd';
  /** Where the nfsd file system is mounted; default /proc/fs/nfsd. */
  readonly nfsd: string;
  /** How this host restarts nfsd and lockd, as an argument vector. */
  readonly restart: readonly [string, ...string[]];
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
