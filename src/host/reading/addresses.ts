import { Address6 } from 'ip-address';
import { runOrFail } from '../action.js';
import type { Host } from '../host.js';

export interface LocalAddress {
  readonly address: string;
  readonly prefix: number;
  readonly interface: string;
  readonly secondary: boolean;
  /** IPv6: duplicate address detection still runs, or has found another host with this address (RFC 4862). */
  readonly duplicateCheck: 'none' | 'running' | 'failed';
}

interface AddressInfo {
  readonly local?: string;
  readonly prefixlen?: number;
  readonly secondary?: boolean;
  readonly tentative?: boolean;
  readonly dadfailed?: boolean;
}

interface IpLink {
  readonly ifname?: string;
  readonly addr_info?: readonly AddressInfo[];
}

/** Every address of this host, from `ip -j address show` (ip-address(8)). IPv6 in canonical form. */
export async function localAddresses(host: Host): Promise<LocalAddress[]> {
  const { stdout } = await runOrFail(host, ['ip', '-j', 'address', 'show'], 'Install the package iproute2.');
  const links = JSON.parse(stdout) as readonly IpLink[];
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
