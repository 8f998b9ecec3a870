/**
 * The port at the end of a universal address, "10.0.0.1.3.4" or "fd00::1.3.4" (RFC 5665 section 5.2.3.3):
 * its last two decimal numbers are the port's octets. Undefined for anything else, and for port 0.
 * The address before it is not used: rpcbind may name any of its host's addresses, and a reply counts
 * only from the one that was asked.
 */
export function portOfUniversalAddress(text: string): number | undefined {
  const octets = /^[0-9A-Fa-f:.]+(?:%[^.]+)?\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const high = Number(octets?.[1]);
  const low = Number(octets?.[2]);
  if (!(high <= 255 && low <= 255)) return undefined;
  const port = high * 256 + low;
  return port === 0 ? undefined : port;
}

/** The universal address of an address and port. */
export function universalAddress(address: string, port: number): string {
  return `${address}.${port >> 8}.${port & 255}`;
}
