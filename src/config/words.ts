import { isIPv4, isIPv6 } from 'node:net';
import { addressRange, canonicalAddress } from './address.js';
import { Wrong } from './problem.js';

// Each of these becomes one argument of mount(8) or exportfs(8). No shell is involved, but both programs
// write what they get into tables that blanks and quotes would break, and read a leading "-" as an option.
const UNFIT = /[\s'"`\\\u0000-\u001f\u007f]/;
const UNFIT_SENTENCE = 'no blanks, quotes, backslashes and control characters, and no leading "-"';

/** Drops the empty members that a stray comma makes: "rw,,sync," is "rw,sync". */
function tidyList(text: string): string {
  return text
    .split(',')
    .filter((word) => word !== '')
    .join(',');
}

function isUnfit(text: string): boolean {
  return UNFIT.test(text) || text.startsWith('-');
}

/** `filesystem.type`, for mount -t. */
export function readType(text: string): string | Wrong {
  return text === '' || isUnfit(text)
    ? new Wrong(`write the file system's type, such as "ext4": ${UNFIT_SENTENCE}`)
    : text;
}

/** `filesystem.options`, for mount -o; may be empty. */
export function readMountOptions(text: string): string | Wrong {
  const options = tidyList(text);
  return isUnfit(options)
    ? new Wrong(`write mount options with commas between them, such as "noatime,nodev": ${UNFIT_SENTENCE}`)
    : options;
}

/** `export.options`, for exportfs -o; may be empty. Parentheses would end them in /var/lib/nfs/etab. */
export function readExportOptions(text: string): string | Wrong {
  const options = tidyList(text);
  return isUnfit(options) || /[()]/.test(options)
    ? new Wrong(
        `write exports(5) options with commas between them, such as "rw,no_subtree_check": ${UNFIT_SENTENCE}, ` +
          'and no parentheses',
      )
    : options;
}

/**
 * Whether such options let clients in who can be rpc.statd's user: by their own word with AUTH_SYS, where exports(5) names no sec=, or
 * any flavor but those of Kerberos; with Kerberos as anonuid=, the user of whom is squashed or has no user here (nfsd_setuser in
 * fs/nfsd/auth.c). 65534, its default, is nobody; whose any other uid is, only each node knows.
 */
export function letsStatdIn(options: readonly string[]): boolean {
  if (options.some((option) => /^anonuid=(?!(?:65534|-2|4294967294)$)/.test(option))) return true;
  const flavors = options.flatMap((option) => /^sec=(.*)$/.exec(option)?.[1]?.split(':') ?? []);
  return flavors.length === 0 || flavors.some((flavor) => !/^krb5[ip]?$/.test(flavor));
}

/**
 * `export.clients`, as exportfs(8) takes it before the ":" of "clients:path". There an IPv6 address stands
 * in brackets with its prefix length behind them, in exports(5) it has none: both are accepted.
 */
export function readClients(text: string): string | Wrong {
  if (/[\s,]/.test(text)) {
    return new Wrong(
      'write one client specification; add a [[floating_ip.filesystem.export]] for each other one',
    );
  }
  if (text === '' || isUnfit(text) || text.startsWith('/') || /[()]/.test(text)) {
    return new Wrong(
      `write a client specification of exports(5), such as "*" or "10.10.0.0/16": ${UNFIT_SENTENCE}`,
    );
  }
  if (text.includes(':')) return readIpv6Clients(text);
  const [host = '', mask] = text.split('/');
  // A netmask may have holes: client_init() in nfs-utils support/export/client.c takes any.
  const isMask = mask === undefined || isIPv4(mask) || (/^\d{1,2}$/.test(mask) && Number(mask) <= 32);
  return isIPv4(host) && !isMask
    ? new Wrong('the prefix length of an IPv4 network is 0 to 32, as in "10.10.0.0/16"')
    : text;
}

function readIpv6Clients(text: string): string | Wrong {
  const found = /^(?:\[([^\]]*)\]|([^[\]/]*))(?:\/([0-9]{1,3}))?$/.exec(text);
  const host = found?.[1] ?? found?.[2] ?? '';
  const prefix = found?.[3];
  if (!isIPv6(host) || host.includes('%') || (prefix !== undefined && Number(prefix) > 128)) {
    return new Wrong('a ":" belongs only into an IPv6 address, such as "fd00::1" or "[fd00::]/64"');
  }
  return `[${canonicalAddress(host)}]${prefix === undefined ? '' : `/${Number(prefix)}`}`;
}

/**
 * Whether one client may match both of two client specifications of exports(5): of a name, a wildcard or a netgroup nobody knows whom
 * it matches; of addresses and networks their bits tell. A client is judged by the address that it comes from, which is of one family
 * (check_subnetwork in nfs-utils support/export/client.c).
 */
export function mayMatchBoth(one: string, other: string): boolean {
  const [a, b] = [addressRange(one), addressRange(other)];
  if (a === undefined || b === undefined) return true;
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}
