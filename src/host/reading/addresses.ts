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

/** Where this host has an address, undefined where it has not. */
export async function findAddress(host: Host, address: string): Promise<LocalAddress | undefined> {
  return (await localAddresses(host)).find((local) => local.address === address);
}

/**
 * Whether this host has an address. `link`: where it ought to be. On the machine itself it takes no process to tell, unless that link is
 * there and does not run, or has no address at all: of such Node says nothing (libuv's uv_interface_addresses), and `ip` does.
 */
export async function hasAddress(host: Host, address: string, link?: string): Promise<boolean> {
  if (host === realHost) {
    const running = Object.entries(networkInterfaces());
    if (running.some(([, infos = []]) => infos.some((info) => canonical(info.address) === address)))
      return true;
    // The label of an address may stand for its link: "eth0:1".
    const names = new Set(running.map(([name]) => name.replace(/:.*$/, '')));
    if (link !== undefined && (names.has(link) || !hasLink(host, link))) return false;
  }
  return (await findAddress(host, address)) !== undefined;
}

/** proc_pid_net(5): the links of this process's network namespace, a name and a colon on each line. */
function hasLink(host: Host, link: string): boolean {
  const lines = (host.readText('/proc/net/dev') ?? '').split('\n');
  return lines.some((line) => line.trimStart().startsWith(`${link}:`));
}

function canonical(text: string): string {
  return text.includes(':') ? new Address6(text).correctForm() : text;
}
