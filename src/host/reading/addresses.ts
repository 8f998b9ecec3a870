import { Address6 } from 'ip-address';
import * as v from 'valibot';
import type { Host } from '../host.js';
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

function canonical(text: string): string {
  return text.includes(':') ? new Address6(text).correctForm() : text;
}
