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
 * The entry for a path and client specification. exportfs writes a host's canonical name,
 * so `nfs1` is found as `nfs1.example.com`.
 */
export function findExport(
  entries: readonly ExportEntry[],
  path: string,
  clients: string,
): ExportEntry | undefined {
  const wanted = clients.toLowerCase();
  return entries.find((entry) => {
    const found = entry.clients.toLowerCase();
    return entry.path === path && (found === wanted || found.startsWith(`${wanted}.`));
  });
}
