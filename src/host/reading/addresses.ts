import { networkInterfaces } from 'node:os';
import { Address6 } from 'ip-address';
import * as v from 'valibot';
import type { Host } from '../host.js';
import { realHost } from '../real.js';
import { ipJson } from './ip-json.js';

export interface LocalAddress {
  readonly address: string;
  readonly prefix: number;
  readonly interface: string;
  readonly secondary: boolean;
  /** IPv6: duplicate address detection still runs, or has found another host with this address (RFC 4862). */
  readonly duplicateCheck: 'none' | 'running' | 'failed';
}

/** As much of `ip -j address show` as is read here; marks are `true` where they are set (ip-address(8)). */
export const linksSchema = v.array(
  v.object({
    ifname: v.optional(v.string()),
    addr_info: v.optional(
      v.array(
        v.object({
          local: v.optional(v.string()),
          prefixlen: v.optional(v.number()),
          secondary: v.optional(v.unknown()),
          tentative: v.optional(v.unknown()),
          dadfailed: v.optional(v.unknown()),
        }),
      ),
    ),
  }),
);

/** Every address of this host, from `ip -j address show` (ip-address(8)). IPv6 in canonical form. */
export async function localAddresses(host: Host): Promise<LocalAddress[]> {
  const links = await ipJson(host, ['ip', '-j', 'address', 'show'], linksSchema);
  return links.flatMap((link) =>
    (link.addr_info ?? []).flatMap((info) =>
      info.local === undefined || link.ifname === undefined
        ? []
        : [
            {
              address: canonical(info.local),
              prefix: info.prefixlen ?? 0,
              interface: link.ifname,
              secondary: info.secondary === true,
              duplicateCheck:
                info.dadfailed === true ? 'failed' : info.tentative === true ? 'running' : 'none',
            },
          ],
    ),
  );
}

/** Where an address is, and with which prefix length. */
export type AddressPlace = Pick<LocalAddress, 'interface' | 'prefix'>;

/** Where this host has an address, undefined where it has not. */
export async function findAddress(host: Host, address: string): Promise<LocalAddress | undefined> {
  return (await localAddresses(host)).find((local) => local.address === address);
}

/**
 * Where this host has an address, on whichever interfaces. `link`: where it ought to be. On the machine itself it takes no process to tell, unless that link is
 * there and does not run, or has no address at all: of such Node says nothing (libuv's uv_interface_addresses), and `ip` does.
 */
export async function placesOf(host: Host, address: string, link?: string): Promise<AddressPlace[]> {
  if (host === realHost) {
    // The label of an address may stand for its link: "eth0:1".
    const running = Object.entries(networkInterfaces()).flatMap(([label, infos = []]) =>
      infos.map((info) => ({ ...info, interface: label.replace(/:.*$/, '') })),
    );
    const places = running
      .filter((info) => canonical(info.address) === address)
      .map((info) => ({ interface: info.interface, prefix: Number(info.cidr?.split('/')[1] ?? 0) }));
    if (places.length > 0) return places;
    const isRunning = running.some((info) => info.interface === link);
    if (link !== undefined && (isRunning || !hasLink(host, link))) return [];
  }
  return (await localAddresses(host)).filter((local) => local.address === address);
}

/** proc_pid_net(5): the links of this process's network namespace, a name and a colon on each line. */
function hasLink(host: Host, link: string): boolean {
  const lines = (host.readText('/proc/net/dev') ?? '').split('\n');
  return lines.some((line) => line.trimStart().startsWith(`${link}:`));
}

/**
 * What duplicate address detection of an IPv6 address says here, without a process to start; undefined where the kernel does not tell.
 * /proc/net/if_inet6: 32 digits, index, prefix length, scope, flags, link (net/ipv6/addrconf.c, if6_seq_show; flags: linux/if_addr.h).
 */
export function duplicateCheckOf(host: Host, address: string): LocalAddress['duplicateCheck'] | undefined {
  const lines = host.readText('/proc/self/net/if_inet6')?.split('\n');
  if (lines === undefined) return undefined;
  const digits = new Address6(address).canonicalForm().replaceAll(':', '');
  const states = lines
    .map((line) => line.split(/\s+/))
    .filter(([found]) => found === digits)
    .map(([, , , , flags = '']) => Number.parseInt(flags, 16));
  if (states.some((flags) => (flags & dadFailed) !== 0)) return 'failed';
  return states.some((flags) => (flags & tentative) !== 0) ? 'running' : 'none';
}

const [dadFailed, tentative] = [0x08, 0x40];

function canonical(text: string): string {
  return text.includes(':') ? new Address6(text).correctForm() : text;
}
