import type { Config, FloatingIp } from '../config/config.js';
import type { DriverSettings } from '../config/driver-settings.js';
import type { Host } from '../host/host.js';
import type { LockManager } from './port.js';

/** This node, as drivers need to know it. */
export interface NodeView {
  readonly host: Host;
  readonly config: Pick<Config, 'lockManager' | 'floatingIps'>;
  /** Its directory of serving links. */
  readonly run: string;
  /** Path of this installation's callout for rpc.statd. */
  readonly callout: string;
}

/** An address on this node. */
export interface Site extends NodeView {
  readonly floatingIp: FloatingIp;
}

/** An address that has an instance on this node, and how the node is seen from there. */
export interface InstanceHere extends Pick<LockManager, 'host' | 'run'> {
  readonly address: string;
}

export interface LooksOptions {
  /** The lock manager is left alone: where all nodes start theirs together, that is enough for what every node exports. */
  readonly leavesAlone?: boolean;
  /** Whether grace, address and exports are all about to be made by us. */
  readonly takesOver: boolean;
  /** Nothing is to be done (--dry-run): what this host lacks for the driver that the configuration names is told, and not thrown. */
  readonly onlyLooks?: boolean | undefined;
}

/** A port, undefined where it comes as it likes, and the key that fixes it. */
export interface OwnPort {
  readonly port: number | undefined;
  readonly key: string;
}

/** All that there is to know of a driver. It is in one folder, and in the list of drivers.ts. */
export interface DriverModule extends DriverSettings {
  /**
   * `instance`: each address from a part of the node of its own, which this driver makes, so that nobody else can put the address
   * or an export there.
   */
  readonly servesFrom: 'node' | 'instance';
  /** It can serve file systems that every node exports; LockManager.shared. */
  readonly servesShared?: boolean;
  /** It serves them where all nodes start their lock managers together (src/ctdb), and no takeover or release of one address does. */
  readonly startsTogether?: boolean;
  /** It is taken only where the configuration names it, and `auto` passes it over without a word: it is no part of every host. */
  readonly isOnlyNamed?: boolean;
  /** What to do where it cannot be had here, as a sentence; absent: take another one. */
  readonly remedy?: string;
  /** Where another file than nfs.conf(5) tells its server, lock manager and mountd what to do: that file, and their ports. */
  readonly ports?: (
    site: Pick<Site, 'host' | 'config'>,
  ) => Readonly<Record<'nfsd' | 'mountd' | 'lockd', OwnPort>> & { readonly file: string };
  /** The OCF agent that watches its daemon on every node of shared file systems, and what that is told; absent: there is none. */
  readonly nodeAgent?: (config: Pick<Config, 'lockManager'>) => {
    readonly type: string;
    readonly parameters: readonly (readonly [name: string, value: string])[];
  };
  /** Why it cannot serve an address, whatever the host can do: every reason, as a clause. */
  unsuited(floatingIp: FloatingIp): readonly string[];
  /** What this host lacks for it: everything, each as a clause. Looks, and leaves no trace. */
  lacks(site: Site, options: LooksOptions): Promise<readonly string[]>;
  /** Of those, what is but a mistake in the configuration: no reason for `auto` to take another driver. It is refused before the first step. */
  readonly mistakes?: (site: Site) => readonly string[];
  /** Every instance of it on this node, also of an address that is not configured. */
  readonly instancesHere?: (host: Host) => readonly InstanceHere[];
  /** It, for one address. Has no effect. */
  make(site: Site): LockManager;
}
