import * as v from 'valibot';
import type { Host } from '../host.js';
import { ipJson } from '../reading/ip-json.js';
import { isMissing } from '../running/command.js';
import { flavour } from './announce.js';
import type { AddressOnInterface } from './address.js';

const linkLayerAddress = /(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/i;

/** As much of `ip -j neighbour show` as is read here (ip-neighbour(8)). */
const neighboursSchema = v.array(
  v.object({ lladdr: v.optional(v.string()), state: v.optional(v.array(v.string())) }),
);

/**
 * Who in the network answers for an address that this host has not: the link-layer address, or nobody. Undefined with `why` where it
 * cannot be asked. An ARP probe comes from no address (RFC 5227 section 2.1.1), so that nobody's table changes; for IPv6 an echo request makes the kernel
 * ask its neighbours. Throws FailoverError COMMAND_TIMEOUT.
 */
export async function whoAnswers(
  host: Host,
  ip: Omit<AddressOnInterface, 'prefix'>,
): Promise<{ readonly who: string | undefined } | { readonly why: string }> {
  try {
    return await (ip.family === 4 ? byArp(host, ip) : byNeighbours(host, ip));
  } catch (error) {
    if (!isMissing(error)) throw error;
    return { why: ip.family === 4 ? 'no arping here' : 'no ping here' };
  }
}

async function byArp(host: Host, { address, interface: device }: Omit<AddressOnInterface, 'prefix'>) {
  const argv =
    (await flavour(host)) === 'habets'
      ? (['arping', '-0', '-c', '2', '-w', '2', '-i', device, address] as const)
      : (['arping', '-D', '-c', '2', '-w', '2', '-I', device, address] as const);
  const { exitCode, stdout, stderr } = await host.run(argv, { short: true });
  const replies = stdout.split('\n').filter((line) => / from /.test(line));
  const [who] = replies.flatMap((line) => linkLayerAddress.exec(line) ?? []);
  if (who === undefined && exitCode > 1) return { why: `arping said ${stderr.trim()}` };
  return { who };
}

async function byNeighbours(host: Host, { address, interface: device }: Omit<AddressOnInterface, 'prefix'>) {
  // Whether it is answered does not count: an echo may be filtered, a neighbour solicitation is not.
  const argv = ['ping', '-6', '-c', '1', '-W', '1', '-I', device, address] as const;
  const { stdout, stderr } = await host.run(argv, { short: true });
  const show = ['ip', '-6', '-j', 'neighbour', 'show', 'to', address, 'dev', device] as const;
  const [found] = await ipJson(host, show, neighboursSchema);
  if (found === undefined)
    return { why: `the kernel did not ask: ping said ${stderr.trim() || stdout.trim()}` };
  return { who: found.state?.includes('FAILED') === true ? undefined : found.lladdr };
}
