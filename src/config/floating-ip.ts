import { FailoverError, exitCodes } from '../errors.js';
import { canonicalAddress } from './address.js';
import { isAtOrBelow, nearestAbove } from '../paths.js';
import type { Config, FloatingIp, ManagedPart, Volume } from './config.js';
import { renderValue } from './problem.js';

/**
 * The floating IP with this address, in any spelling of it, with or without its prefix length.
 *
 * @throws FailoverError UNKNOWN_ADDRESS, exit code 2, with the addresses that are configured.
 */
export function findFloatingIp(config: Config, text: string): FloatingIp {
  const [, host = '', prefix] = /^([^/]*)(?:\/([0-9]+))?$/.exec(text) ?? [];
  const address = canonicalAddress(host);
  const found = config.floatingIps.find((ip) => ip.address === address);
  if (found && (prefix === undefined || Number(prefix) === found.prefix)) return found;
  const configured = `configured are ${config.floatingIps.map((ip) => ip.address).join(', ')}`;
  throw new FailoverError(`${renderValue(text)} is not a floating IP of ${config.file}: ${configured}`, {
    code: 'UNKNOWN_ADDRESS',
    exitCode: exitCodes.usage,
    operation: `looking up ${renderValue(text)}`,
    hint: 'Give one of the configured addresses, or add a [[floating_ip]] for this one.',
  });
}

/** Every file system of an address that is mounted, exported or not, as the file has them, the state volume first. */
export function volumesOf({ stateVolume, filesystems }: FloatingIp): readonly Volume[] {
  const mounted = filesystems.filter(({ isUnmounted }) => isUnmounted !== true);
  return [...(stateVolume === undefined ? [] : [stateVolume]), ...mounted];
}

/** The volume of the address that its record lies on; undefined: on storage that every node sees. */
export function recordVolume(ip: FloatingIp): Volume | undefined {
  const volumes = ip.shared === undefined ? volumesOf(ip) : [];
  const mountpoint = nearestAbove(
    ip.stateDirectory,
    volumes.map((one) => one.mountpoint),
  );
  return volumes.find((one) => one.mountpoint === mountpoint);
}

/**
 * In which order they are mounted, whatever the order in the file: `first` what the record lies on (and what that is mounted
 * below), so that it says whose the address is before any `other` is touched. They are unmounted the other way round.
 */
export function mountOrder(ip: FloatingIp): {
  readonly first: readonly Volume[];
  readonly others: readonly Volume[];
} {
  const place = recordVolume(ip)?.mountpoint;
  const isFirst = ({ mountpoint }: Volume) => place !== undefined && isAtOrBelow(place, mountpoint);
  const volumes = volumesOf(ip);
  return {
    first: outerFirst(volumes.filter(isFirst)),
    others: outerFirst(volumes.filter((one) => !isFirst(one))),
  };
}

/** Else in the order given: what another one is mounted on comes before it, which it would hide. */
function outerFirst(volumes: readonly Volume[]): readonly Volume[] {
  const depth = ({ mountpoint }: Volume) =>
    volumes.filter((other) => isAtOrBelow(mountpoint, other.mountpoint)).length;
  return volumes.toSorted((a, b) => depth(a) - depth(b));
}

/** Whether somebody else does this part of an address. What every node has, nobody mounts or exports for it. */
export function isManaged({ managedByOthers = [], shared }: FloatingIp, part: ManagedPart): boolean {
  return managedByOthers.includes(part) || (shared !== undefined && part !== 'address');
}

/** The key by which somebody else mounts and exports for an address. */
export function othersKey({ shared }: FloatingIp): 'managed_by_others' | 'shared_filesystem' {
  return shared === undefined ? 'managed_by_others' : 'shared_filesystem';
}

/**
 * The names under which a client may know this server, for SM_NOTIFY's mon_name, without duplicates: the
 * address as text, then each configured name followed by its short form. A client compares the name with
 * what it mounted from (X/Open XNFS, SM_NOTIFY), and nobody knows which spelling that was.
 */
export function notifyNames({ address, names }: Pick<FloatingIp, 'address' | 'names'>): string[] {
  const all = [address, ...names.flatMap((name) => [name, name.replace(/\..*/, '')])];
  // Host names are compared without regard to case (RFC 1123), so the first spelling is enough.
  const lower = all.map((name) => name.toLowerCase());
  return all.filter((_, at) => lower.indexOf(lower[at] ?? '') === at);
}
