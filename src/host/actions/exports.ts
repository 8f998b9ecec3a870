import { type Action, commandText, type HostContext, notSo, runOrFail } from '../action.js';
import { exported, findExport } from '../reading/exports.js';
import type { Argv } from '../host.js';
import { isMountOf, mountAt } from '../reading/mounts.js';

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
}

/** A-2: one export goes. */
export function unexport({
  path,
  clients,
}: {
  readonly path: string;
  readonly clients: string;
}): Action<HostContext> {
  const command: Argv = ['exportfs', '-u', `${clients}:${path}`];
  return {
    commands: [commandText(command)],
    check: ({ host }) => findExport(exported(host), path, clients) === undefined,
    act: async ({ host }) => {
      await runOrFail(host, command);
      return undefined;
    },
    verify: ({ host }) => {
      if (findExport(exported(host), path, clients) !== undefined) {
        throw notSo(
          'A-2',
          `${path} is still exported to ${clients} after "exportfs -u": see /var/lib/nfs/etab`,
        );
      }
    },
  };
}

/** A-4: the kernel forgets what mountd said about exports, which otherwise pins the mount. */
export function flushExports(mountpoints: readonly string[]): Action<HostContext> {
  const command: Argv = ['exportfs', '-f'];
  return {
    commands: [commandText(command)],
    check: ({ host }) => mountpoints.every((mountpoint) => mountAt(host, mountpoint) === undefined),
    act: async ({ host }) => {
      await runOrFail(host, command);
      return undefined;
    },
    verify: () => undefined,
  };
}

/** B-5: one export comes, and never one of an empty mount point. */
export function exportPath(
  { path, clients, options: configured }: PathExport,
  filesystem: ExportedFilesystem,
): Action<HostContext> {
  // Both nodes must hand out the same file handles, so fsid= is part of every export (exports(5)).
  const options = `${configured === '' ? '' : `${configured},`}fsid=${filesystem.fsid}`;
  const command: Argv = ['exportfs', '-o', options, `${clients}:${path}`];
  const wanted = options.split(',');
  const isSo = ({ host }: HostContext): boolean => {
    const entry = findExport(exported(host), path, clients);
    return entry !== undefined && wanted.every((option) => entry.options.includes(option));
  };
  return {
    commands: [commandText(command)],
    check: (context) => {
      const mount = mountAt(context.host, filesystem.mountpoint);
      if (mount === undefined || !isMountOf(context.host, mount, filesystem.device)) {
        throw notSo(
          'B-5',
          `${filesystem.mountpoint} is not exported: ${filesystem.device} is not mounted there`,
          'Run B-1 first: clients of an empty mount point get stale file handles.',
        );
      }
      return isSo(context);
    },
    act: async ({ host }) => {
      await runOrFail(host, command, 'See exports(5) for what the export options mean.');
      return undefined;
    },
    verify: ({ host }) => {
      if (findExport(exported(host), path, clients) === undefined) {
        throw notSo(
          'B-5',
          `${path} is not exported to ${clients} after "exportfs -o": see /var/lib/nfs/etab`,
        );
      }
    },
  };
}
