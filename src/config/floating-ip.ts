import { FailoverError, exitCodes } from '../errors.js';
import { canonicalAddress } from './address.js';
import type { Config, FloatingIp } from './config.js';
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
