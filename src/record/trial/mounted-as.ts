import { existsSync, readdirSync } from 'node:fs';
import type { Host } from '../../host/host.js';
import { mountOver, mounts } from '../../host/reading/mounts.js';

/** How a file system is mounted: what decides how two nodes see each other's writes, as far as a node can read it. */
export interface MountedAs {
  readonly type: string;
  readonly source: string;
  /** Sorted. */
  readonly options: readonly string[];
}

/** The same on every node that has it mounted alike. */
export function isMountedAlike(one: MountedAs, other: MountedAs): boolean {
  const words = ({ type, source, options }: MountedAs) => JSON.stringify([type, source, options]);
  return words(one) === words(other);
}

/**
 * The mount that a directory lies on. Of GlusterFS also what mountinfo does not show: the words that its client was started with
 * (attribute-timeout) and the layers of its volume (performance/quick-read), which the client itself shows in the hidden directory
 * .meta (xlators/meta of GlusterFS). Undefined where no table of this process names it.
 */
export function mountedAs(host: Host, directory: string): MountedAs | undefined {
  const mount = mountOver(mounts(host), directory);
  if (mount === undefined) return undefined;
  const { type, source, options, superOptions, mountpoint } = mount;
  const listed = [options, superOptions].flatMap((list) => list.split(','));
  const own = type === 'fuse.glusterfs' ? glusterOptions(host, mountpoint) : [];
  return { type, source, options: [...new Set([...listed, ...own])].filter(Boolean).toSorted() };
}

/** File systems of which every kernel needs one of its own: two nodes never write there at once. */
const local = /^(?:ext[234]|xfs|btrfs|f2fs|jfs|zfs|tmpfs|ramfs|overlay|rootfs|hostfs)$/u;

/** Whether several nodes may have it mounted at once. */
export function isOfManyNodes({ type }: MountedAs): boolean {
  return !local.test(type);
}

function glusterOptions(host: Host, mountpoint: string): string[] {
  const words = (host.readText(`${mountpoint}/.meta/cmdline`) ?? '').split(/\s+/u).slice(1);
  const layers = host.path(`${mountpoint}/.meta/graphs/active`);
  const names = existsSync(layers) ? readdirSync(layers) : [];
  return [...words.filter((word) => word.startsWith('-')), ...names.map((name) => `layer ${name}`)];
}
