import { realpathSync } from 'node:fs';
import { isAtOrBelow } from '../../paths.js';
import type { Host } from '../host.js';
import { unescapeOctal } from './mounts.js';

/** nfs-utils keeps what is exported here (exportfs(8)); mountd answers the kernel from it. */
export const etab = '/var/lib/nfs/etab';

export interface ExportEntry {
  readonly path: string;
  readonly clients: string;
  readonly options: readonly string[];
}

/** Parses etab: `path<TAB>clients(options)`, blanks in the path as \040 (nfs-utils support/export/xtab.c). */
export function parseEtab(text: string): ExportEntry[] {
  return text.split('\n').flatMap((line) => {
    const [, path, clients, options] = /^(\S+)\s+(.+?)\((.*)\)\s*$/.exec(line) ?? [];
    if (path === undefined || clients === undefined || options === undefined) return [];
    return [{ path: unescapeOctal(path), clients, options: options.split(',') }];
  });
}

/** Everything exported on this host now. */
export function exported(host: Host): ExportEntry[] {
  return parseEtab(host.readText(etab) ?? '');
}

/**
 * The entry for a path and client specification, as far as its text tells: exportfs writes a host's canonical name,
 * so `nfs1` is found as `nfs1.example.com`, and IPv6 addresses and networks without their brackets (exportfs_ipv6 in nfs-utils
 * utils/exportfs/exportfs.c). What it has made of another name, only it knows.
 */
export function findExport(
  entries: readonly ExportEntry[],
  path: string,
  clients: string,
): ExportEntry | undefined {
  const wanted = withoutBrackets(clients).toLowerCase();
  return entries.find((entry) => {
    const found = entry.clients.toLowerCase();
    return entry.path === path && (found === wanted || found.startsWith(`${wanted}.`));
  });
}

/** `clients` of etab as exportfs takes it before ":path". */
export function exportfsClients(clients: string): string {
  const [, address, prefix = ''] = /^([^/]*:[^/]*)(\/.*)?$/.exec(clients) ?? [];
  return address === undefined || clients.startsWith('[') ? clients : `[${address}]${prefix}`;
}

/** Of an IPv6 address or network only: of a wildcard they are part (`node[0-9]`). */
function withoutBrackets(clients: string): string {
  const [, address, prefix = ''] = /^\[([^\]]*:[^\]]*)\](\/.*)?$/.exec(clients) ?? [];
  return address === undefined ? clients : `${address}${prefix}`;
}

export function isSameEntry(one: ExportEntry, other: ExportEntry): boolean {
  return (
    one.path === other.path &&
    one.clients === other.clients &&
    one.options.length === other.options.length &&
    one.options.every((option, at) => option === other.options[at])
  );
}

/**
 * Whether an entry is of this path. An exportfs before nfs-utils 2.7 writes the real path where a link leads to it, when it writes
 * the table the next time (getexportent in support/nfs/exports.c).
 */
export function isOfPath(host: Host, entry: Pick<ExportEntry, 'path'>, path: string): boolean {
  return entry.path === path || (realPath(host, entry.path) ?? entry.path) === realPath(host, path);
}

/** Whether an entry is of a path at or below this one, which is without links; see isOfPath. */
export function isBelow(host: Host, entry: Pick<ExportEntry, 'path'>, top: string): boolean {
  return isAtOrBelow(entry.path, top) || isAtOrBelow(realPath(host, entry.path) ?? '', host.path(top));
}

/** Whether an entry hands out file handles with this fsid. */
export function carriesFsid({ options }: Pick<ExportEntry, 'options'>, fsid: string): boolean {
  return options.some(
    (option) => option.startsWith('fsid=') && plainFsid(option.slice('fsid='.length)) === plainFsid(fsid),
  );
}

/** Those of these entries that carry the fsid of a file system, and do not lie on it. */
export function exportedAsWell(
  host: Host,
  entries: readonly ExportEntry[],
  {
    fsid,
    mountpoint,
    exports,
  }: {
    readonly fsid: string;
    readonly mountpoint: string;
    readonly exports: readonly { readonly path: string }[];
  },
): ExportEntry[] {
  return entries.filter(
    (entry) =>
      carriesFsid(entry, fsid) &&
      !isBelow(host, entry, mountpoint) &&
      !exports.some(({ path }) => isOfPath(host, entry, path)),
  );
}

/** A number as the kernel has it, in 32 bits (etab may have it with a sign: putexportent in support/nfs/exports.c); a UUID as its digits. */
function plainFsid(text: string): string {
  return /^-?\d+$/.test(text)
    ? BigInt.asUintN(32, BigInt(text)).toString()
    : text.replaceAll(/[-:.]/g, '').toLowerCase();
}

function realPath(host: Host, path: string): string | undefined {
  try {
    return realpathSync(host.path(path));
  } catch {
    return undefined;
  }
}
