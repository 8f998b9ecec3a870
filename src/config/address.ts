import { isIP } from 'node:net';
import { Address4, Address6 } from 'ip-address';
import { Wrong } from './problem.js';

/** An address with the prefix length of its network. */
export interface PrefixedAddress {
  /** Canonical text without prefix; IPv6 as in RFC 5952. */
  readonly address: string;
  readonly family: 4 | 6;
  readonly prefix: number;
}

const PREFIX_MAX = { 4: 32, 6: 128 } as const;
const PREFIX_EXAMPLE = { 4: '24', 6: '64' } as const;

/**
 * The one spelling of an IPv4 or IPv6 address that the record, directory names and comparisons use;
 * undefined if the text is none. A zone (fe80::1%eth0) is not part of an address.
 */
export function canonicalAddress(text: string): string | undefined {
  // node:net decides, since it has no generous forms such as octal parts; ip-address knows the RFC 5952 form.
  const family = isIP(text);
  if (family === 0 || text.includes('%')) return undefined;
  return family === 4 ? new Address4(text).correctForm() : new Address6(text).correctForm();
}

/** `floating_ip.address`, "10.10.1.1/24" or "fd00::1/64", or the reason why it cannot be one. */
export function readPrefixedAddress(text: string): PrefixedAddress | Wrong {
  const slash = text.indexOf('/');
  const host = slash === -1 ? text : text.slice(0, slash);
  const address = canonicalAddress(host);
  if (address === undefined) {
    return new Wrong('write an IPv4 or IPv6 address with its prefix length, such as "10.10.1.1/24"');
  }
  const family = isIP(address) === 4 ? 4 : 6;
  const refusal = refusalOf(address, family);
  if (refusal !== undefined) return new Wrong(refusal);
  if (slash === -1) {
    return new Wrong(`the prefix length is missing: write it as "${address}/${PREFIX_EXAMPLE[family]}"`);
  }
  const digits = text.slice(slash + 1);
  const prefix = /^[1-9][0-9]{0,2}$/.test(digits) ? Number(digits) : 0;
  if (prefix < 1 || prefix > PREFIX_MAX[family]) {
    return new Wrong(
      `an IPv${family} prefix length is 1 to ${PREFIX_MAX[family]}, as in "${address}/${PREFIX_EXAMPLE[family]}"`,
    );
  }
  const whole = family === 4 && prefix < 31 ? wholeNetwork(address, prefix) : undefined;
  return whole === undefined ? { address, family, prefix } : new Wrong(whole);
}

/** Why an IPv4 address is none of a host: its network's own, or that of everybody in it. A /31 has neither (RFC 3021). */
function wholeNetwork(address: string, prefix: number): string | undefined {
  const range = addressRange(`${address}/${prefix}`);
  const is = (one: bigint | undefined) => one === asNumber(address);
  const write = 'write the address that clients mount from';
  if (is(range?.first)) return `this is the network itself, and no host in it; ${write}`;
  return is(range?.last) ? `this is the broadcast address of the network; ${write}` : undefined;
}

/** Why an address, although valid, cannot be moved between servers. */
function refusalOf(address: string, family: 4 | 6): string | undefined {
  if (family === 4) {
    const first = Number(address.split('.')[0]);
    if (first === 0) return 'an unspecified address cannot be served; write one that clients mount from';
    if (first >= 224)
      return 'a multicast or reserved address cannot be served; write one that clients mount from';
    return undefined;
  }
  const parsed = new Address6(address);
  if (address === '::') return 'an unspecified address cannot be served; write one that clients mount from';
  if (parsed.isMulticast()) return 'a multicast address cannot be served; write one that clients mount from';
  // It is the same address as its IPv4 form: the two could be configured as if they were different.
  if (parsed.isMapped4())
    return `this is an IPv4 address: write "${parsed.to4().correctForm()}" with its prefix length`;
  // Needs a zone to be reached, and a zone differs from node to node.
  if (parsed.isLinkLocal())
    return 'a link-local address cannot move; write a global or unique local one (fd00::/8)';
  return undefined;
}

/** Addresses of one family that follow each other, as numbers. */
export interface AddressRange {
  readonly family: number;
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * The addresses that an address or a network has: "10.0.0.0/8", "10.0.0.0/255.0.0.0", "[fd00::]/64", with or without brackets.
 * Undefined for every other text, and for a netmask with holes.
 */
export function addressRange(text: string): AddressRange | undefined {
  const [, bracketed, plain, mask] = /^(?:\[([^\]]*)\]|([^/]*))(?:\/(.*))?$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const family = isIP(host);
  if (family === 0) return undefined;
  const bits = family === 4 ? PREFIX_MAX[4] : PREFIX_MAX[6];
  const prefix = mask === undefined ? bits : prefixOf(mask, bits);
  if (prefix === undefined) return undefined;
  const size = 1n << BigInt(bits - prefix);
  const address = asNumber(host);
  const first = address - (address % size);
  return { family, first, last: first + size - 1n };
}

/** Of "24", or of "255.255.255.0". */
function prefixOf(mask: string, bits: number): number | undefined {
  if (/^\d{1,3}$/.test(mask)) return Number(mask) <= bits ? Number(mask) : undefined;
  if (isIP(mask) !== (bits === PREFIX_MAX[4] ? 4 : 6)) return undefined;
  const ones = asNumber(mask).toString(2).padStart(bits, '0').replace(/0+$/, '');
  return /^1*$/.test(ones) ? ones.length : undefined;
}

function asNumber(address: string): bigint {
  return (isIP(address) === 4 ? new Address4(address) : new Address6(address)).bigInt();
}
