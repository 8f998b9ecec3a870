import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import type { Family } from '../../rpc/rpcbind-messages.js';

/** What a recorded client's text (its mon_name) says about where to send. */
export type ClientAddress =
  | { readonly kind: 'address'; readonly family: Family; readonly address: string }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'unusable'; readonly reason: string };

/** The interfaces of this host, as far as link-local addresses need them. */
export interface Interfaces {
  /** The one that carries the floating IP. */
  readonly ofSource: string | undefined;
  /** Interface names by index. */
  readonly byIndex: ReadonlyMap<number, string>;
}

/**
 * Reads a client as lockd names it (net/sunrpc/addr.c, rpc_ntop: "10.0.0.1", "fd00::1", "fe80::1%2") or as
 * it names itself (nsm_use_hostnames=1). The text came over the network, so nothing but one unicast address
 * or a plain host name is accepted; in particular none of getaddrinfo's other spellings ("010.1", "0x7f1").
 * The address is in the form in which node:dgram reports the sender of a reply; mapped forms are IPv4.
 */
export function readClient(text: string, interfaces: Interfaces): ClientAddress {
  if (isIPv4(text)) return unicast4(text);
  const [host = '', scope, more] = text.split('%');
  if (isIPv6(host) && more === undefined) return unicast6(host, scope, interfaces);
  if (isHostName(text)) return { kind: 'name', name: text };
  return unusable('neither an address nor a host name');
}

function unicast4(address: string): ClientAddress {
  const first = Number(address.split('.')[0]);
  if (first === 0 || first >= 224) return unusable('not a unicast address');
  return { kind: 'address', family: 4, address };
}

function unicast6(host: string, scope: string | undefined, interfaces: Interfaces): ClientAddress {
  const { address } = new SocketAddress({ address: host, family: 'ipv6' });
  const mapped = /^::ffff:([\d.]+)$/.exec(address)?.[1];
  if (mapped !== undefined)
    return scope === undefined ? unicast4(mapped) : unusable('a scope on an IPv4 address');
  if (address === '::' || address.startsWith('ff')) return unusable('not a unicast address');
  if (!/^fe[89ab]/.test(address)) {
    return scope === undefined
      ? { kind: 'address', family: 6, address }
      : unusable('a scope on a global address');
  }
  const name = interfaceOf(scope, interfaces);
  if (name === undefined) return unusable('link-local, and this host has no such interface');
  return { kind: 'address', family: 6, address: `${address}%${name}` };
}

/**
 * lockd writes the scope as the interface's index on the node that recorded the client, which means
 * nothing here; the client is on the floating IP's link, so that interface is meant where it is known.
 * An interface that does not exist must be caught here: libuv would send to scope 0, which is anywhere.
 */
function interfaceOf(scope: string | undefined, { ofSource, byIndex }: Interfaces): string | undefined {
  if (scope === undefined || /^\d+$/.test(scope)) return ofSource ?? byIndex.get(Number(scope));
  return [...byIndex.values()].find((name) => name === scope);
}

/** RFC 1123 labels, with the underscore of practice; a last label of digits or 0x is an address misspelt. */
function isHostName(text: string): boolean {
  if (text.length > 253) return false;
  const labels = text.replace(/\.$/, '').split('.');
  if (/^(?:\d+|0[xX][\dA-Fa-f]*)$/.test(labels.at(-1) ?? '')) return false;
  return labels.every((label) => /^[A-Za-z0-9_](?:[\w-]{0,61}[A-Za-z0-9_])?$/.test(label));
}

function unusable(reason: string): ClientAddress {
  return { kind: 'unusable', reason };
}
