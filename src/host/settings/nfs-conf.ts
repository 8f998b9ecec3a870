import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { Host } from '../host.js';

/**
 * Where nfs-utils looks, in this order; of a value that is there twice the last one counts (conf_init_file and conf_init_dir in
 * support/nfs/conffile.c). Drop-ins are read since 2.5.3, and /usr/etc since 2.6.
 */
export const nfsConfFiles = ['/usr/etc/nfs.conf', '/etc/nfs.conf'] as const;

/** What nfs.conf(5) and its drop-ins say, as the daemons of nfs-utils would read it now. */
export interface NfsConf {
  /** A value, without its quotes; undefined where there is none, or it is empty. Section and name without regard to case. */
  get(section: string, name: string): string | undefined;
  /** The files that were read, in order. */
  readonly files: readonly string[];
}

/** Deeper a file is not included by another one. */
const mostDeep = 8;

/** Reads them all. A file that is not there says nothing. */
export function readNfsConf(host: Host): NfsConf {
  const values = new Map<string, string>();
  const files: string[] = [];
  const load = (file: string, depth: number): void => {
    const text = host.readText(file);
    if (text === undefined || depth > mostDeep) return;
    files.push(file);
    for (const { section, name, value } of assignments(text)) {
      if (name === 'include') load(path.resolve(path.dirname(file), value.replace(/^-/, '')), depth + 1);
      else values.set(`${section}.${name}`, value);
    }
  };
  for (const file of nfsConfFiles) {
    load(file, 0);
    for (const dropIn of dropIns(host, `${file}.d`)) load(dropIn, 0);
  }
  return {
    files,
    get: (section, name) => {
      const value = values.get(`${section}.${name}`.toLowerCase());
      return value === '' ? undefined : value;
    },
  };
}

/** yes, no, or what is neither; undefined where nothing is said (conf_get_bool in support/nfs/conffile.c). */
export function isYes(value: string | undefined): boolean | undefined {
  if (/^(?:1|t|true|y|yes|on)$/i.test(value ?? '')) return true;
  return /^(?:0|f|false|n|no|off)$/i.test(value ?? '') ? false : undefined;
}

/** Those whose name ends in .conf, sorted as by versionsort(3). */
function dropIns(host: Host, directory: string): string[] {
  try {
    return readdirSync(host.path(directory))
      .filter((name) => name.length > '.conf'.length && name.endsWith('.conf') && !name.startsWith('.'))
      .toSorted(byVersion)
      .map((name) => `${directory}/${name}`);
  } catch {
    return []; // there is none
  }
}

/** Digits that stand at the same place count as a number. */
function byVersion(one: string, other: string): number {
  const [a, b] = [one, other].map((name) => name.match(/\d+|\D+/g) ?? []);
  for (const [at, part] of (a ?? []).entries()) {
    const against = b?.[at];
    if (against === undefined) return 1;
    if (part === against) continue;
    const isNumber = /^\d/.test(part) && /^\d/.test(against);
    if (isNumber && Number(part) !== Number(against)) return Number(part) - Number(against);
    return part < against ? -1 : 1;
  }
  return (a?.length ?? 0) - (b?.length ?? 0);
}

/** Of each line `name = value`, in lower case but for the value (conf_parse_line). */
function assignments(
  text: string,
): { readonly section: string; readonly name: string; readonly value: string }[] {
  let section = '';
  return text
    .replaceAll(/\\\n/g, '')
    .split('\n')
    .flatMap((line) => {
      if (/^\s*[#;]/.test(line)) return [];
      const [, title] = /^\s*\[\s*([^\]\s]+)/.exec(line) ?? [];
      if (title !== undefined) {
        section = title.toLowerCase();
        return [];
      }
      const [, name, given = ''] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      if (name === undefined) return [];
      const [, , quoted] = /^(["'])(.*?)\1/.exec(given) ?? [];
      return [{ section, name: name.toLowerCase(), value: quoted ?? given }];
    });
}
