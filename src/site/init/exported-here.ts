import { realpathSync } from 'node:fs';
import { isSameFsid, readFsid } from '../../config/fsid.js';
import { Wrong } from '../../config/problem.js';
import { readClients, readExportOptions } from '../../config/words.js';
import type { Host } from '../../host/host.js';
import { type ExportEntry, exported, exportfsClients } from '../../host/reading/exports.js';
import { type Mount, mounts } from '../../host/reading/mounts.js';
import { nearestAbove } from '../../paths.js';
import type { Found, FoundExport } from './found.js';

/** What etab has of every export, though nobody has written it (exports(5); putexportent in nfs-utils support/nfs/exports.c). */
const defaults = new Set([
  'sync',
  'wdelay',
  'hide',
  'nocrossmnt',
  'secure',
  'root_squash',
  'no_all_squash',
  'secure_locks',
  'acl',
  'no_pnfs',
  'anonuid=65534',
  'anongid=65534',
  'sec=sys',
]);

/** The exports that lie on one mount. */
export interface OnMount {
  readonly mount: Mount;
  readonly entries: readonly ExportEntry[];
}

/** Everything that is exported here, by the mounts it lies on; and what lies on none that could move, as sentences. */
export function exportedHere(host: Host): {
  readonly on: readonly OnMount[];
  readonly leftOut: readonly string[];
} {
  const table = mounts(host);
  const on = new Map<string, { readonly mount: Mount; readonly entries: ExportEntry[] }>();
  const leftOut: string[] = [];
  for (const entry of exported(host)) {
    const mount = mountOf(host, table, entry.path);
    // In a chroot the root file system is in no table.
    const why = mount === undefined ? ofRoot : whyNot(mount);
    if (mount === undefined || why !== undefined) {
      leftOut.push(`${entry.path} (${entry.clients}): ${why}`);
      continue;
    }
    const before = on.get(mount.mountpoint);
    if (before === undefined) on.set(mount.mountpoint, { mount, entries: [entry] });
    else before.entries.push(entry);
  }
  return { on: [...on.values()], leftOut: [...new Set(leftOut)] };
}

function mountOf(host: Host, table: readonly Mount[], path: string): Mount | undefined {
  const nearest = nearestAbove(
    realPath(host, path),
    table.map(({ mountpoint }) => mountpoint),
  );
  return table.findLast(({ mountpoint }) => mountpoint === nearest);
}

/** In a rehearsal a path is where its mount table says. */
function realPath(host: Host, path: string): string {
  if (host.kind === 'rehearsal') return path;
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

const ofRoot = 'it lies on the root file system, which cannot move';

/** Why a mount can be no file system of a floating IP, as a clause. */
function whyNot({ mountpoint, root, type }: Mount): string | undefined {
  if (mountpoint === '/') return ofRoot;
  if (/^nfs4?$/.test(type)) return 'it lies on a file system of another NFS server, which keeps its locks';
  if (/^(?:tmpfs|ramfs|overlay|proc|sysfs|devtmpfs)$/.test(type))
    return `it lies on ${type}, which no other node has`;
  if (root !== '/' && type !== 'btrfs')
    return `it lies on a bind mount of ${root}: export it where its file system is mounted`;
  return undefined;
}

/** An export as the configuration has it: without what exportfs adds by itself, and without fsid=. */
export function exportOf({ path, clients, options }: ExportEntry): FoundExport | string {
  const own = options.filter(
    (option) => option !== '' && !option.startsWith('fsid=') && !defaults.has(option),
  );
  const words = [...new Set(own)].join(',');
  const [read, allowed] = [readClients(exportfsClients(clients)), readExportOptions(words)];
  if (read instanceof Wrong || allowed instanceof Wrong)
    return `${path} (${clients}): it cannot be written into the configuration as it stands in /var/lib/nfs/etab`;
  return { path, clients: read, options: allowed };
}

/** The fsid of all exports of a file system; `derive` where they have none. */
export async function fsidOf(entries: readonly ExportEntry[], derive: () => Promise<Found>): Promise<Found> {
  const given = [
    ...new Set(
      entries.map(
        ({ options }) => options.find((option) => option.startsWith('fsid='))?.slice('fsid='.length) ?? '',
      ),
    ),
  ];
  const [first = '', ...others] = given;
  if (others.some((other) => other === '' || first === '' || !isSameFsid(other, plain(first))))
    return {
      value: undefined,
      wanted: 'one fsid for all exports of the file system',
      about: `Its exports have several: ${given.map((one) => (one === '' ? 'none' : one)).join(', ')}`,
    };
  if (first === '') return derive();
  const read = readFsid(
    /^-?(?:0x[0-9a-f]+|\d+)$/i.test(first) ? BigInt.asUintN(32, BigInt(first)) : plain(first),
  );
  if (read instanceof Wrong)
    return {
      value: undefined,
      wanted: 'an fsid',
      about: `It is exported with fsid=${first}: ${read.because}`,
    };
  return { value: /^\d+$/.test(read) ? Number(read) : read };
}

/** A UUID in the spelling of the configuration; etab has it as it was written (exports(5)). */
function plain(text: string): string {
  const digits = text.replaceAll(/[-:.]/g, '').toLowerCase();
  return digits.length === 32 && /^[0-9a-f]+$/.test(digits)
    ? digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    : text;
}
