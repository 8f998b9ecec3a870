import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Host } from '../../host/host.js';
import { mountAt } from '../../host/reading/mounts.js';
import { instancesDirectory } from '../../rundir/serving.js';

/**
 * Where the instance of a floating IP is kept: a network namespace by name, as ip-netns(8) has it,
 * and a directory on /run (gone with the boot, as the instance is) that holds its mount namespace.
 */
export interface InstancePlace {
  /** nfs-<address>. */
  readonly netns: string;
  readonly netnsFile: string;
  readonly directory: string;
  /** The mount namespace, bound to this file. */
  readonly mountNamespace: string;
  /** The instance's own /run, as the host sees it. */
  readonly run: string;
  /** The instance's own /var/lib/nfs, as the host sees it. */
  readonly nfs: string;
  /** What rpc.statd of the instance keeps its state in (-P), as the host sees it; inside: statdDirectory. */
  readonly statd: string;
  /** /run/nlm-failover of the instance, as the host sees it. */
  readonly runDirectory: string;
  /** When its grace began and how long it is; see grace.ts. */
  readonly graceFile: string;
  /** The local socket of the instance's rpcbind, as the host sees it. */
  readonly rpcbindSocket: string;
}

/** What rpc.statd is started with inside an instance, whatever the host's own has; nothing but its own lies there. */
export const statdDirectory = '/var/lib/nfs/statd';

/** The floating IP's interface inside its instance. */
export const instanceInterface = 'nfs0';

export function instancePlace(address: string): InstancePlace {
  const netns = `nfs-${address}`;
  const directory = path.join(instancesDirectory, address);
  return {
    netns,
    netnsFile: `/run/netns/${netns}`,
    directory,
    mountNamespace: path.join(directory, 'mnt'),
    run: path.join(directory, 'run'),
    nfs: path.join(directory, 'nfs'),
    statd: path.join(directory, 'nfs', 'statd'),
    runDirectory: path.join(directory, 'run', 'nlm-failover'),
    graceFile: path.join(directory, 'grace'),
    rpcbindSocket: path.join(directory, 'run', 'rpcbind.sock'),
  };
}

/** What to put before a command so that it runs inside; nsenter(1). */
export function instancePrefix(address: string): readonly [string, ...string[]] {
  const { netnsFile, mountNamespace } = instancePlace(address);
  return ['nsenter', `--net=${netnsFile}`, `--mount=${mountNamespace}`, '--'];
}

/** Whether anything of an instance is there, whole or not. */
export function instanceExists(host: Host, address: string): boolean {
  const { netnsFile, directory } = instancePlace(address);
  return existsSync(host.path(netnsFile)) || existsSync(host.path(directory));
}

/** Whether both of its namespaces are there. ip-netns(8) and unshare(1) make the file first, and then bind the namespace to it. */
export function canBeEntered(host: Host, address: string): boolean {
  return isBound(host, instancePlace(address).netnsFile) && hasMountNamespace(host, address);
}

/** Of what a takeover left that was ended in B-2, or a release in A-4: it comes after the network namespace, and goes before it. */
export function hasMountNamespace(host: Host, address: string): boolean {
  return isBound(host, instancePlace(address).mountNamespace);
}

function isBound(host: Host, file: string): boolean {
  return existsSync(host.path(file)) && mountAt(host, file) !== undefined;
}

/** The addresses of all that are here. */
export function instancesHere(host: Host): string[] {
  const directory = host.path(instancesDirectory);
  return existsSync(directory) ? readdirSync(directory) : [];
}
