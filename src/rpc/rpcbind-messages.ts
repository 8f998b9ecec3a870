import type { RpcCall } from './rpc-call.js';
import { malformed, XdrReader, XdrWriter } from './xdr.js';

/** rpcbind and its predecessor the port mapper: RFC 1833. */
export const rpcbind = {
  program: 100000,
  port: 111,
  /** PMAP_GETPORT: the one call that every port mapper since 1985 answers, IPv4 only. */
  getport: { version: 2, procedure: 3 },
  /** RPCB_GETADDR. Version 3 is in every rpcbind; 4 adds nothing to this procedure. */
  getaddr: { version: 3, procedure: 3 },
  /** RPCB_DUMP. */
  dump: { version: 3, procedure: 4 },
} as const;

export type Protocol = 'udp' | 'tcp';
export type Family = 4 | 6;

/** Which service is asked for. */
export interface Service {
  readonly program: number;
  readonly version: number;
  readonly protocol: Protocol;
}

const protocolNumbers = { udp: 17, tcp: 6 } as const;
/** rpcbind's strings have no limit in RFC 1833; a universal address is far shorter than this. */
const maxStringBytes = 256;

/** The call that asks a host's rpcbind for a service's port: PMAP_GETPORT on IPv4, RPCB_GETADDR on IPv6. */
export function portQuestion(family: Family, service: Service): Omit<RpcCall, 'xid'> {
  const writer = new XdrWriter().uint32(service.program).uint32(service.version);
  if (family === 4) {
    writer.uint32(protocolNumbers[service.protocol]).uint32(0);
    return { program: rpcbind.program, ...rpcbind.getport, args: writer.toBuffer() };
  }
  writer.opaque(`${service.protocol}6`, maxStringBytes).opaque('', maxStringBytes).opaque('', maxStringBytes);
  return { program: rpcbind.program, ...rpcbind.getaddr, args: writer.toBuffer() };
}

/**
 * The port in the results of that call: 0 when the service is not registered (RFC 1833 sections 2.2.1
 * and 3.2), as both protocols say it in their own way. Throws XDR_MALFORMED, also for an impossible port.
 */
export function portAnswer(family: Family, results: Uint8Array): number {
  const reader = new XdrReader(results);
  if (family === 4) {
    const port = reader.uint32('port');
    reader.end('the port');
    if (port > 65535) throw malformed(`port ${port}`);
    return port;
  }
  const text = reader.string(maxStringBytes, 'universal address');
  reader.end('the universal address');
  if (text === '') return 0;
  const port = portOfUniversalAddress(text);
  if (port === undefined) throw malformed('no universal address');
  return port;
}

/** The results that make `portAnswer` say `port`, for whoever stands in for an rpcbind. */
export function encodePortAnswer(family: Family, address: string, port: number): Buffer {
  if (family === 4) return new XdrWriter().uint32(port).toBuffer();
  return new XdrWriter().opaque(port === 0 ? '' : universalAddress(address, port), maxStringBytes).toBuffer();
}

/** The call that asks for everything that is registered: RPCB_DUMP. */
export const registrationsQuestion: Omit<RpcCall, 'xid'> = {
  program: rpcbind.program,
  ...rpcbind.dump,
  args: new Uint8Array(),
};

/** Of what is registered, which anybody on a host may have chosen: rpcbind takes no call of more than 9,000 bytes (libtirpc, rpc.h, RPC_MAXDATASIZE). */
const longestRegistered = 1 << 14;

/** What somebody has registered. */
export interface Registration {
  readonly program: number;
  readonly version: number;
  /** The strings are whatever was registered. */
  readonly netid: string;
  readonly address: string;
  /** Who has: see isRoots. */
  readonly owner: string;
}

/**
 * Whether root has registered it, or the kernel. Anybody on a host may register any program under a version or transport that is free there; rpcbind
 * notes who it was ("superuser", a uid, "unknown": rpcbind, rpcb_svc_com.c, getowner; seen with 1.2.6).
 */
export function isRoots({ owner }: Registration): boolean {
  return owner === 'superuser';
}

/** Those in its results, a linked list (RFC 1833 section 2.1, rpcblist_ptr). Throws XDR_MALFORMED. */
export function registrationsIn(results: Uint8Array): Registration[] {
  const reader = new XdrReader(results);
  const found: Registration[] = [];
  while (reader.uint32('whether another follows') !== 0) {
    found.push({
      program: reader.uint32('program'),
      version: reader.uint32('version'),
      netid: reader.string(longestRegistered, 'netid'),
      address: reader.string(longestRegistered, 'universal address'),
      owner: reader.string(longestRegistered, 'owner'),
    });
  }
  reader.end('the list');
  return found;
}

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
