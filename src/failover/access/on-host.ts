import type { FloatingIp } from '../../config/config.js';
import { findAddress } from '../../host/reading/addresses.js';
import { exported } from '../../host/reading/exports.js';
import type { Host } from '../../host/host.js';
import { servingJournal } from '../../rundir/serving.js';

/**
 * What of an address is served from the host itself, rather than from an instance, as a clause; undefined: nothing.
 * `run` is the host's directory of serving links. A mount is not counted: with every driver it is the host's.
 */
export async function servedOnHost(host: Host, run: string, ip: FloatingIp): Promise<string | undefined> {
  const up = await findAddress(host, ip.address);
  if (up !== undefined) return `${ip.address} is up on ${up.interface}`;
  const paths = new Set(ip.filesystems.flatMap(({ exports }) => exports.map((one) => one.path)));
  const entry = exported(host).find((one) => paths.has(one.path));
  if (entry !== undefined) return `${entry.path} is exported`;
  return servingJournal(run, ip.address) === undefined ? undefined : `${ip.address} is recorded`;
}
