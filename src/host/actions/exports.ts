import { errnoOf, exitCodes, FailoverError } from '../../errors.js';
import { type Action, commandText, type HostContext, notSo, saidOf } from '../action.js';
import {
  carriesFsid,
  exported,
  exportedAsWell,
  type ExportEntry,
  exportfsClients,
  findExport,
  isBelow,
  isOfPath,
  isSameEntry,
} from '../reading/exports.js';
import type { Argv, CommandResult, Host } from '../host.js';
import { leadsElsewhere } from '../reading/lies-on.js';
import { lookAtExport } from './look-export.js';
import { mountOfDevice } from '../reading/mounts.js';

export interface PathExport {
  readonly path: string;
  readonly clients: string;
  /** exports(5) options without fsid=. */
  readonly options: string;
}

export interface ExportedFilesystem {
  readonly fsid: string;
  readonly device: string;
  readonly mountpoint: string;
  /** All that is exported of it. */
  readonly exports: readonly PathExport[];
}

/** What exportfs has made of an export: it decides how a client is spelt, and an option (nfs-utils support/export/client.c, support/nfs/exports.c). */
export interface Remembered {
  /** The options that it was given. */
  readonly asked: string;
  readonly entry: ExportEntry;
}

/** An export as the configuration has it. */
type Named = Pick<PathExport, 'path' | 'clients'>;

/** Keeps that from B-5 to A-2. */
export interface RememberedExports {
  get(one: Named): Remembered | undefined;
  set(one: Named, remembered: Remembered): void;
  forget(one: Named): void;
}

const isOfClient = (entry: ExportEntry, { path, clients }: ExportEntry) =>
  entry.path === path && entry.clients === clients;

/**
 * A-2: one export goes, under whatever name exportfs has made of its clients, and with it what else of its file system carries the fsid
 * and is no other export's: also a path that the configuration has no more, which would pin the mount. Only etab tells: with the name
 * service down exportfs drops every name from it, and says that there was none.
 * `moving`: the file systems of the address, whose exports all go.
 */
export function unexport(
  one: PathExport,
  { fsid, exports, mountpoint }: ExportedFilesystem,
  memory: RememberedExports,
  moving: readonly ExportedFilesystem[],
): Action<HostContext> {
  // One with an fsid that was edited since, too, where it is this that goes.
  const isGoing = (entry: ExportEntry, taken: ExportEntry) =>
    isOfClient(entry, taken) || moving.some((filesystem) => carriesFsid(entry, filesystem.fsid));
  const entryOf = (entries: readonly ExportEntry[], named: Named): ExportEntry | undefined => {
    const known = memory.get(named)?.entry;
    return (
      (known && entries.find((entry) => isOfClient(entry, known))) ??
      findExport(entries, named.path, named.clients)
    );
  };
  const left = (host: Host): ExportEntry[] => {
    const all = exported(host);
    const own = entryOf(all, one);
    const others = exports.filter(({ path, clients }) => path !== one.path || clients !== one.clients);
    const theirs = others.map((other) => entryOf(all, other));
    const isOfOther = (entry: ExportEntry) =>
      theirs.includes(entry) ||
      (!isOfPath(host, entry, one.path) && others.some(({ path }) => isOfPath(host, entry, path)));
    return all.filter(
      (entry) =>
        entry === own || (carriesFsid(entry, fsid) && isBelow(host, entry, mountpoint) && !isOfOther(entry)),
    );
  };
  const command = ({ clients, path }: Named): Argv => ['exportfs', '-u', `${clients}:${path}`];
  return {
    commands: [`${commandText(command(one))}   # where etab has another name for it: that`],
    check: ({ host }) => left(host).length === 0,
    act: async (context) => {
      const said: string[] = [];
      for (const entry of left(context.host)) {
        const { clients, path } = entry;
        const spelt = { clients: exportfsClients(clients), path };
        const { result } = await runExportfs(context, command(spelt), (gone) => isGoing(gone, entry));
        if (result.stderr.trim() !== '') said.push(saidOf(result));
      }
      if (left(context.host).length === 0) memory.forget(one);
      return said.length === 0 ? undefined : `exportfs said: ${said.join('; ')}`;
    },
    verify: ({ host }) => {
      const still = left(host).map(({ path, clients }) => `${path} to ${clients}`);
      if (still.length > 0) {
        throw notSo('A-2', `still exported: ${still.join(', ')}, after "exportfs -u": see /var/lib/nfs/etab`);
      }
    },
  };
}

/** Whether an export is as B-5 makes it: to these clients, with these options and this fsid. */
export function isExported(
  host: Host,
  one: PathExport,
  { fsid }: Pick<ExportedFilesystem, 'fsid'>,
  memory: RememberedExports,
): boolean {
  const all = exported(host);
  const known = memory.get(one);
  if (known?.asked === optionsWith(one, fsid)) return all.some((entry) => isSameEntry(entry, known.entry));
  const entry = findExport(all, one.path, one.clients);
  return entry !== undefined && hasOptions(entry, one.options, fsid);
}

/** Both nodes must hand out the same file handles, so fsid= is part of every export (exports(5)). */
function optionsWith({ options }: PathExport, fsid: string): string {
  return `${options === '' ? '' : `${options},`}fsid=${fsid}`;
}

/**
 * B-5: one export comes, and never one of an empty mount point, or of a path that lies on another file system than its fsid says.
 * A client that cannot be resolved keeps nobody else from being served: it is left undone.
 */
export function exportPath(
  one: PathExport,
  filesystem: ExportedFilesystem,
  memory: RememberedExports,
): Action<HostContext> {
  const { path, clients } = one;
  const { fsid } = filesystem;
  const options = optionsWith(one, fsid);
  // -i: what /etc/exports has of the same path and client would be mixed in, and every name in it looked up; -v: it names the client.
  const command: Argv = ['exportfs', '-v', '-i', '-o', options, `${clients}:${path}`];
  let isUnresolved = false;
  return {
    commands: [commandText(command)],
    programs: ['exportfs'],
    look: ({ host }, how) => {
      expectFsidOfItsOwn(host, filesystem);
      return lookAtExport(host, one, how);
    },
    check: ({ host }) => {
      expectFsidOfItsOwn(host, filesystem);
      expectOnFilesystem(host, path, filesystem);
      return isExported(host, one, filesystem, memory);
    },
    act: async (context) => {
      const { host, undone } = context;
      isUnresolved = false;
      const old = memory.get(one)?.entry;
      const isOld = (entry: ExportEntry) => old !== undefined && isOfClient(entry, old);
      const { before, result } = await runExportfs(context, command, isOld);
      const entry = madeBy(host, result, before, one, fsid);
      if (entry !== undefined && (result.exitCode === 0 || !result.stderr.includes(path))) {
        memory.set(one, { asked: options, entry });
        return result.stderr.trim() === '' ? undefined : `exportfs said: ${saidOf(result)}`;
      }
      if (entry !== undefined || undone === undefined || !/\bresolve\b/i.test(result.stderr))
        throw notMade(command, result, one);
      isUnresolved = true;
      const sentence = `${path} is not exported to ${clients}, a name that cannot be resolved (${saidOf(result)})`;
      undone(sentence);
      return sentence;
    },
    verify: ({ host }) => {
      if (isUnresolved) return;
      const entry = memory.get(one)?.entry;
      if (
        entry === undefined ||
        !exported(host).some((found) => isOfClient(found, entry) && carriesFsid(found, fsid))
      ) {
        throw notSo(
          'B-5',
          `${path} is not exported to ${clients} after "exportfs -o": see /var/lib/nfs/etab`,
        );
      }
    },
  };
}

/**
 * Throws where something else is exported with the same fsid. That is all the kernel asks mountd by, for a file handle, and mountd takes what
 * it finds first (nfs-utils support/export/cache.c, nfsd_fh): clients may be given the other file system.
 */
function expectFsidOfItsOwn(
  host: Host,
  filesystem: Pick<ExportedFilesystem, 'fsid' | 'mountpoint' | 'exports'>,
): void {
  const { fsid, mountpoint } = filesystem;
  const [other] = exportedAsWell(host, exported(host), filesystem);
  if (other === undefined) return;
  throw notSo(
    'B-5',
    `fsid ${fsid}, that of ${mountpoint}, is exported with ${other.path} too, to ${other.clients}: clients may be given that file system`,
    `Give ${other.path} another fsid in /etc/exports, or take it out: exportfs -u ${exportfsClients(other.clients)}:${other.path}`,
  );
}

/** Throws where the path does not lie on the mounted file system whose fsid it is to carry. */
export function expectOnFilesystem(
  host: Host,
  path: string,
  { device, mountpoint, fsid }: Pick<ExportedFilesystem, 'device' | 'mountpoint' | 'fsid'>,
): void {
  const mount = mountOfDevice(host, { device, mountpoint });
  if (mount === undefined) {
    throw notSo(
      'B-5',
      `${mountpoint} is not exported: ${device === '' ? 'nothing' : device} is ${device === '' ? '' : 'not '}mounted there`,
      'Take B-1 along (--steps B-1,B-5), which sees whether another node has it: clients of an empty mount point get stale file handles.',
    );
  }
  let elsewhere: string | undefined;
  try {
    elsewhere = leadsElsewhere(host, path, mount);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    throw notSo(
      'B-5',
      `${path} cannot be exported: there is no such directory on ${mount.source}`,
      `Make it: mkdir ${path}`,
    );
  }
  if (elsewhere !== undefined) {
    throw notSo(
      'B-5',
      `${path} is not exported: it carries fsid ${fsid}, that of the file system on ${mountpoint}, and ${elsewhere}`,
      'Clients would read one file system and write another. Give what lies there a [[floating_ip.filesystem]] of its own, or export another path.',
    );
  }
}

/**
 * Runs exportfs, and says which exports it has dropped beside those that `mayGo`: it writes etab anew each time, without the names that it cannot resolve
 * at that moment, whoever's they are (client_lookup in nfs-utils support/export/client.c).
 */
async function runExportfs(
  { host, undone }: HostContext,
  command: Argv,
  mayGo: (entry: ExportEntry) => boolean,
): Promise<{ readonly before: readonly ExportEntry[]; readonly result: CommandResult }> {
  const before = exported(host);
  const result = await host.run(command);
  const after = exported(host);
  const dropped = before.filter(
    (entry) =>
      !mayGo(entry) &&
      !after.some((kept) => kept.clients === entry.clients && isOfPath(host, kept, entry.path)),
  );
  for (const entry of dropped) {
    undone?.(
      `exportfs could not resolve ${entry.clients}, and has dropped the export of ${entry.path} to it from /var/lib/nfs/etab`,
    );
  }
  return { before, result };
}

/** The entry that exportfs has made, or made as it was: by its own word, or by what is new in etab. Undefined: none. */
function madeBy(
  host: Host,
  { exitCode, stdout }: CommandResult,
  before: readonly ExportEntry[],
  { path, clients, options }: PathExport,
  fsid: string,
): ExportEntry | undefined {
  const here = exported(host).filter((entry) => carriesFsid(entry, fsid) && isOfPath(host, entry, path));
  const [, spelt] = /^exporting (.*):\//m.exec(stdout) ?? [];
  const named = here.find((entry) => entry.clients === spelt);
  const changed = here.filter((entry) => !before.some((old) => isSameEntry(old, entry)));
  if (named !== undefined || changed.length === 1) return named ?? changed[0];
  const found = exitCode === 0 ? findExport(here, path, clients) : undefined;
  return found !== undefined && hasOptions(found, options, fsid) ? found : undefined;
}

function hasOptions(entry: ExportEntry, options: string, fsid: string): boolean {
  const wanted = options.split(',').filter((option) => option !== '');
  return carriesFsid(entry, fsid) && wanted.every((option) => entry.options.includes(option));
}

function notMade(command: Argv, result: CommandResult, { path, clients }: Named): FailoverError {
  return new FailoverError(
    `${path} is not exported to ${clients}: "${commandText(command)}" exited with ${result.exitCode}: ${saidOf(result)}`,
    {
      code: 'COMMAND_FAILED',
      exitCode: exitCodes.stepFailed,
      operation: commandText(command),
      hint: 'See exports(5) for what the export options mean, and /var/lib/nfs/etab for what is exported.',
    },
  );
}
