import { lstatSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Filesystem } from '../../config/config.js';
import { commandText, notSo } from '../../host/action.js';
import { expectOnFilesystem, type PathExport } from '../../host/actions/exports.js';
import { makeDirectory, whyUnsafe } from '../../host/directories.js';
import type { Host } from '../../host/host.js';
import { mountAt } from '../../host/reading/mounts.js';
import { replaceDurably } from '../../host/replace-file.js';
import type { Exports, LockManagerAction } from '../port.js';
import { blockText, readOwnBlock } from './block.js';
import { type Bus, callArgv, demand } from './bus.js';
import {
  exportCall,
  exportsIfAny,
  exportsOf,
  type GaneshaExport,
  removeExport,
  showExports,
} from './methods.js';
import { ganeshaProcess } from './process.js';

/** What it needs to know of an address. */
export interface ExportSite {
  readonly bus: Bus;
  /** Where the EXPORT blocks go that are made. */
  readonly directory: string;
  readonly filesystems: readonly Filesystem[];
  /** Every node exports them, always. */
  readonly isShared: boolean;
}

/** AddExport, UpdateExport and RemoveExport in place of exportfs(8). */
export function ganeshaExports(site: ExportSite): Exports {
  const { bus } = site;
  return {
    make: (one, { fsid }) => addExport(site, filesystemOf(site, fsid), one),
    takeAway: (_, { fsid }) => removal(site, filesystemOf(site, fsid), 'A-2'),
    expect: (_, { fsid }) => {
      const filesystem = filesystemOf(site, fsid);
      const key = site.isShared ? 'shared_filesystem' : 'managed_by_others';
      const message = `${pathOf(filesystem)} is not exported, and nlm-failover does not export it (${key})`;
      const hint = `Have it exported by whoever does, with Export_Id ${idOf(filesystem)}. Then run the same command again.`;
      const isThere = async () => ownOf(await exportsOf(bus), filesystem, 'B-5') !== undefined;
      return {
        commands: [
          `# Export_Id ${idOf(filesystem)} is ${pathOf(filesystem)}: somebody else sees to that (${key})`,
        ],
        // What every node exports always is exported before anything is claimed.
        look: async () => (!site.isShared || (await isThere()) ? [] : [{ message, hint }]),
        check: async () => {
          if (await isThere()) return true;
          throw notSo('B-5', message, hint);
        },
        act: async () => undefined,
        verify: () => undefined,
      };
    },
    has: async (_, { fsid }) => {
      const filesystem = filesystemOf(site, fsid);
      return (await exportsIfAny(bus)).some(isOwn(filesystem)) && isAsMade(site, filesystem);
    },
    shownBy: commandText(callArgv(bus.address, showExports)),
    current: async () =>
      (await exportsIfAny(bus)).map(({ id, path: exported }) => {
        const fsid = site.filesystems.find(({ exportId }) => exportId === id)?.fsid;
        return {
          path: exported,
          clients: `those of Export_Id ${id}`,
          options: fsid === undefined ? [] : [`fsid=${fsid}`],
        };
      }),
  };
}

/** A-2 and A-3: the export goes, and its locks with it. Nothing to do where nobody exports it. */
export function removal(
  { bus }: Pick<ExportSite, 'bus'>,
  filesystem: Filesystem,
  step: 'A-2' | 'A-3',
): LockManagerAction {
  const call = removeExport(idOf(filesystem));
  const isGone = async () => ownOf(await exportsNow(bus), filesystem, step) === undefined;
  return {
    commands: [commandText(callArgv(bus.address, call))],
    programs: ['busctl'],
    check: isGone,
    act: async () => {
      await demand(bus, call, true);
      return undefined;
    },
    verify: async () => {
      if (await isGone()) return;
      throw notSo(
        step,
        `NFS-Ganesha still exports ${pathOf(filesystem)} (Export_Id ${idOf(filesystem)}) after RemoveExport`,
      );
    },
  };
}

/** What is exported; nothing where no Ganesha runs. Throws where one runs and does not say. */
async function exportsNow(bus: Bus): Promise<GaneshaExport[]> {
  const isGone = bus.host.kind === 'real' && ganeshaProcess(bus.host) === undefined;
  return isGone ? [] : exportsOf(bus);
}

function addExport(site: ExportSite, filesystem: Filesystem, one: PathExport): LockManagerAction {
  const { bus, directory } = site;
  const { exports, exportBlock: ownFile } = filesystem;
  const id = idOf(filesystem);
  const file = ownFile ?? fileOf(directory, id);
  const text = blockText(filesystem, id);
  const add = exportCall('AddExport', file, id);
  const isFirst = one.path === exports[0]?.path && one.clients === exports[0].clients;
  return {
    // One EXPORT block has all the clients of its path.
    commands: isFirst
      ? [
          ...(ownFile === undefined
            ? [
                commandText(['mkdir', '-p', directory]),
                `${commandText(['printf', '%s\\n', text])} > ${commandText([file])}`,
              ]
            : []),
          commandText(callArgv(bus.address, add)),
        ]
      : [],
    programs: ['busctl'],
    look: ({ host }) => {
      refuseLink(host, one.path);
      if (ownFile !== undefined) expectOwnBlock(host.readText(ownFile), filesystem);
      return undefined;
    },
    check: async ({ host }) => {
      refuseLink(host, one.path);
      expectOnFilesystem(host, one.path, filesystem);
      if (ownFile !== undefined) expectOwnBlock(host.readText(ownFile), filesystem);
      return ownOf(await exportsOf(bus), filesystem, 'B-5') !== undefined && isAsMade(site, filesystem);
    },
    act: async ({ host }) => {
      if (ownFile === undefined) writeBlock(host.path(directory), host.path(file), text);
      // AddExport twice is an error.
      const isThere = ownOf(await exportsOf(bus), filesystem, 'B-5') !== undefined;
      await demand(bus, isThere ? exportCall('UpdateExport', file, id) : add, true);
      return isThere ? 'it was exported otherwise, and was brought up to date' : undefined;
    },
    verify: async () => {
      if (ownOf(await exportsOf(bus), filesystem, 'B-5') !== undefined) return;
      throw notSo('B-5', `NFS-Ganesha does not export ${pathOf(filesystem)} after AddExport: see its log`);
    },
  };
}

/** Of what is exported, that of a file system. Throws where its Export_Id, or its path, is another export's. */
function ownOf(
  all: readonly GaneshaExport[],
  filesystem: Filesystem,
  step: 'A-2' | 'A-3' | 'B-5',
): GaneshaExport | undefined {
  const id = idOf(filesystem);
  const exported = pathOf(filesystem);
  const other = all.find((one) => (one.id === id) !== (one.path === exported));
  if (other === undefined) return all.find(isOwn(filesystem));
  // What it calls its path is then the Pseudo (export_mgr.c, ctx_export_path), by which clients mount.
  const pseudo =
    other.id === id
      ? ` Where ${other.path} is its Pseudo, as Mount_Path_Pseudo is set, write that as path, without mountpoint.`
      : '';
  throw notSo(
    step,
    `NFS-Ganesha exports ${other.path} as Export_Id ${other.id}, and the configuration says that ${exported} is Export_Id ${id}: clients of the one would get the other, or stale file handles`,
    `Correct export_id or path in the configuration, the same on every node, or the EXPORT block of NFS-Ganesha.${pseudo} Nothing was changed.`,
  );
}

function isOwn(filesystem: Filesystem) {
  return ({ id, path: exported }: GaneshaExport) =>
    id === filesystem.exportId && exported === pathOf(filesystem);
}

/** Whether the block that was made is the one that would be made now; of the administrator's nobody knows what it was. */
function isAsMade({ bus: { host }, directory }: ExportSite, filesystem: Filesystem): boolean {
  if (filesystem.exportBlock !== undefined) return true;
  const id = idOf(filesystem);
  return host.readText(fileOf(directory, id)) === `${blockText(filesystem, id)}\n`;
}

/** Throws where the administrator's block is not that of this Export_Id and path. */
function expectOwnBlock(text: string | undefined, filesystem: Filesystem): void {
  const { exportBlock: file = '' } = filesystem;
  const id = idOf(filesystem);
  const wanted = pathOf(filesystem);
  const hint = `Let it have one EXPORT block with "Export_Id = ${id}; Path = ${wanted};", or leave export_block out.`;
  if (text === undefined) throw notSo('B-5', `There is no file ${file} (export_block)`, hint);
  const block = readOwnBlock(text, id);
  if (block.id === id && block.path === wanted) return;
  throw notSo(
    'B-5',
    `The EXPORT block of ${file} (export_block) has ${block.id === undefined ? 'no Export_Id' : `Export_Id ${block.id}`} and ${block.path === undefined ? 'no Path' : `Path ${block.path}`}, and the configuration says Export_Id ${id} and ${wanted}`,
    hint,
  );
}

/**
 * Throws where a symbolic link is on the way to a path, as far as that is there: NFS-Ganesha takes a path as it is written (fsal_convert.c,
 * resolve_posix_filesystem), finds it on no file system, or on the one that has the link, and no client gets in.
 */
function refuseLink(host: Host, exported: string): void {
  const names = exported.split('/').filter((name) => name !== '');
  for (const [index] of names.entries()) {
    const place = `/${names.slice(0, index + 1).join('/')}`;
    const stats = lstatSync(host.path(place), { throwIfNoEntry: false });
    // What a mount is on is none; a rehearsal has it as one.
    if (stats?.isSymbolicLink() !== true || mountAt(host, place) !== undefined) continue;
    throw notSo(
      'B-5',
      `${place} is a symbolic link, on the way to ${exported}, and NFS-Ganesha follows none there`,
      'Write mountpoint and path without it in the configuration. Clients mount by that path.',
    );
  }
}

function writeBlock(directory: string, file: string, text: string): void {
  mkdirSync(path.dirname(directory), { recursive: true });
  makeDirectory(directory, 0o755);
  const unsafe = whyUnsafe(directory);
  if (unsafe !== undefined) throw unsafe;
  replaceDurably(file, `${text}\n`, 0o644);
}

function fileOf(directory: string, id: number): string {
  return path.join(directory, `${id}.conf`);
}

function filesystemOf({ filesystems }: ExportSite, fsid: string): Filesystem {
  const found = filesystems.find((one) => one.fsid === fsid);
  if (found === undefined) throw new Error(`no file system has fsid ${fsid}`);
  return found;
}

function pathOf({ exports, mountpoint }: Filesystem): string {
  return exports[0]?.path ?? mountpoint;
}

/** The module has refused a file system without one. */
export function idOf({ exportId = 0 }: Filesystem): number {
  return exportId;
}
