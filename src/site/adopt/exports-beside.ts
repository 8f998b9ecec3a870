import type { Export, Filesystem } from '../../config/config.js';
import { isNumericFsid } from '../../config/fsid.js';
import type { Obstacle } from '../../host/action.js';
import { carriesFsid, type ExportEntry, findExport, isOfPath } from '../../host/reading/exports.js';
import type { Host } from '../../host/host.js';
import { mountAt } from '../../host/reading/mounts.js';

/**
 * How a file system is exported here, beside what the configuration says: another fsid makes every file handle stale after a failover, and
 * stops adopt; other clients or options change what clients may do, and are said.
 */
export async function exportsBeside(
  { host }: { readonly host: Host },
  filesystem: Filesystem,
  entries: readonly ExportEntry[],
  isManaged: boolean,
): Promise<Obstacle[]> {
  const found: Obstacle[] = [];
  for (const path of new Set(filesystem.exports.map((one) => one.path))) {
    const here = entries.filter((entry) => isOfPath(host, entry, path));
    if (here.length === 0) {
      found.push({
        message: `${path} is not exported`,
        hint: 'adopt takes what is served already: correct "path", or export it as the configuration says.',
      });
      continue;
    }
    found.push(...(await fsidBeside(host, filesystem, path, here)));
    if (!isManaged) {
      const wanted = filesystem.exports.filter((one) => one.path === path);
      found.push(...clientsBeside(path, wanted, here));
    }
  }
  return found;
}

/** What clients' file handles of these exports hold, if that is not the fsid of the configuration. */
async function fsidBeside(
  host: Host,
  filesystem: Filesystem,
  path: string,
  entries: readonly ExportEntry[],
): Promise<Obstacle[]> {
  const { fsid } = filesystem;
  const given = entries
    .filter((entry) => !carriesFsid(entry, fsid))
    .map(({ options }) => options.find((one) => one.startsWith('fsid='))?.slice('fsid='.length));
  const others = [...new Set(given)];
  if (others.length === 0) return [];
  const named = others.filter((one) => one !== undefined);
  const stale = 'after a failover every file handle of its clients would be stale';
  if (named.length > 0) {
    return [
      {
        message: `${path} is exported with fsid=${named.join(', ')}, and the configuration says ${fsid}: ${stale}`,
        hint: 'Write that fsid into the configuration.',
      },
    ];
  }
  const uuid = await ownUuid(host, filesystem);
  if (uuid === fsid) {
    return [
      {
        message: `${path} is exported without fsid=; its file handles hold the UUID of the file system, as with fsid=${fsid}`,
        isNote: true,
      },
    ];
  }
  const why = `${path} is exported without fsid=, and the configuration says ${fsid}: ${stale}`;
  return [
    uuid === undefined
      ? {
          message: why,
          hint: `What its file handles hold is not known. Export it with fsid=${fsid}, and have its clients mount it anew, when no application uses it.`,
        }
      : {
          message: why,
          hint: `Its file handles hold the UUID of the file system: write fsid = "${uuid}" into the configuration.`,
        },
  ];
}

/**
 * Where an export has no fsid=, mountd gives the kernel the UUID that blkid(8) has of the device, unless the file system is one whose
 * identity statfs(2) knows better (nfs-utils support/export/cache.c, uuid_by_path, nonblkid_filesystems), and the file handle is the same as with
 * fsid=UUID (there, dump_to_cache; Linux fs/nfsd/nfsfh.c, set_version_and_fsid_type). Undefined: of another file system.
 */
export async function ownUuid(
  host: Host,
  { mountpoint }: Pick<Filesystem, 'mountpoint'>,
): Promise<string | undefined> {
  const mount = mountAt(host, mountpoint);
  if (mount === undefined || !/^(?:ext[234]|xfs)$/.test(mount.type)) return undefined;
  const { exitCode, stdout } = await host.run(
    ['blkid', '-c', '/dev/null', '-o', 'value', '-s', 'UUID', '--', mount.source],
    { short: true },
  );
  const uuid = stdout.trim().toLowerCase();
  return exitCode === 0 && !isNumericFsid(uuid) && uuid.length === 36 ? uuid : undefined;
}

function clientsBeside(path: string, wanted: readonly Export[], entries: readonly ExportEntry[]): Obstacle[] {
  const pairs = wanted.map((one) => ({
    one,
    entry: findExport(entries, entries[0]?.path ?? path, one.clients),
  }));
  const known = new Set(pairs.map(({ entry }) => entry));
  const spelt = entries.map(({ clients }) => clients).join(', ');
  const again =
    'Correct the configuration; or let B-5 export it so: run takeover after adopt, no client notices.';
  return [
    ...pairs.flatMap(({ one, entry }): Obstacle[] => {
      if (entry === undefined) {
        const message = `${path} is not exported to ${one.clients}, as far as etab tells: it is to ${spelt}`;
        return [{ message, hint: again, isNote: true }];
      }
      const missing = one.options
        .split(',')
        .filter((option) => option !== '' && !entry.options.includes(option));
      return missing.length === 0
        ? []
        : [
            {
              message: `${path} is exported to ${one.clients} without ${missing.join(',')}, which the configuration has`,
              hint: again,
              isNote: true,
            },
          ];
    }),
    ...entries
      .filter((entry) => !known.has(entry) && pairs.every((pair) => pair.entry !== undefined))
      .map((entry) => ({
        message: `${path} is exported to ${entry.clients} too, which the configuration does not have: after a failover they are refused`,
        hint: 'Add a [[floating_ip.filesystem.export]] for them.',
        isNote: true,
      })),
  ];
}
