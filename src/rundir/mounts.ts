import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { errnoOf, systemError } from '../errors.js';
import { deviceAt } from '../host/devices/devices.js';
import { makeDirectory } from '../host/directories.js';
import type { Host } from '../host/host.js';
import { type Mount, mounts, unescapeOctal } from '../host/reading/mounts.js';
import { readTextIfThere } from '../host/real.js';
import { replaceFile } from '../host/replace-file.js';

/** A volume that this node mounts for an address. */
export interface NotedVolume {
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  readonly options: string;
  /** Of one that is exported. */
  readonly fsid?: string | undefined;
}

/** As it was noted. */
export interface NotedMount extends NotedVolume {
  /** MAJOR:MINOR of its block device then; undefined: it was an image file, or none. */
  readonly number: string | undefined;
}

/** What is noted, and the mount of it that is there. */
export interface NotedHere {
  readonly note: NotedMount;
  readonly mount: Mount;
}

function directoryOf(run: string): string {
  return path.join(run, 'mounts');
}

function fileOf(run: string, address: string): string {
  return path.join(directoryOf(run), address);
}

/**
 * Notes what this node mounts for an address, before it does, in `<run>/mounts/ADDRESS`, which is root's alone: what is to be unmounted,
 * whatever the configuration says by then. Beside it stays what was noted before and is still mounted. Gone with the boot, as mounts are.
 *
 * A line for each: MAJOR:MINOR or "-", device, mount point, type, options or "-", fsid or "-", in the words of /proc/self/mountinfo, as the
 * OCF agents read it too (callouts/lib/ocf.sh, is_mounted). It proves nothing without that table. Throws FailoverError SYSTEM_ERROR, RUN_UNSAFE.
 */
export function noteMounts(host: Host, run: string, address: string, volumes: readonly NotedVolume[]): void {
  const all = [...earlier(host, run, address, volumes), ...volumes.map((one) => noted(host, one))];
  // The serving links beside it are for statd's user to read.
  try {
    makeDirectory(run, 0o755);
    makeDirectory(directoryOf(run), 0o700);
  } catch (error) {
    throw systemError(error, `making ${directoryOf(run)}`);
  }
  replaceFile(fileOf(run, address), all.map(lineOf).join(''), 0o600);
}

/** Whether just that is noted which noteMounts would write. */
export function isNoted(host: Host, run: string, address: string, volumes: readonly NotedVolume[]): boolean {
  const wanted = [...earlier(host, run, address, volumes), ...volumes.map((one) => noted(host, one))];
  return wanted.map(lineOf).join('') === notedMounts(run, address).map(lineOf).join('');
}

/** What was noted of an address; nothing where that was never done, or in another boot. */
export function notedMounts(run: string, address: string): NotedMount[] {
  const file = fileOf(run, address);
  // Most often there is none, and then nobody need watch over a read.
  const lines = existsSync(file) ? (readTextIfThere(file) ?? '').split('\n') : [];
  return lines.flatMap((line) => {
    const [number, device, mountpoint, type = 'auto', options = '-', fsid = '-'] = line
      .split(' ')
      .map(unescapeOctal);
    if (number === undefined || device === undefined || mountpoint === undefined) return [];
    return [
      {
        number: number === '-' ? undefined : number,
        device,
        mountpoint,
        type,
        options: options === '-' ? '' : options,
        fsid: fsid === '-' ? undefined : fsid,
      },
    ];
  });
}

/** What was noted of an address and is mounted: at its place, or its block device anywhere. */
export function notedHere(host: Host, run: string, address: string): NotedHere[] {
  const table = mounts(host);
  return notedMounts(run, address).flatMap((note) =>
    table.filter((mount) => isOf(host, mount, note)).map((mount) => ({ note, mount })),
  );
}

/** Addresses of which anything was noted. */
export function notedAddresses(run: string): string[] {
  try {
    return readdirSync(directoryOf(run)).filter((name) => !name.startsWith('.'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Nothing of an address is mounted any more. */
export function forgetMounts(run: string, address: string): void {
  rmSync(fileOf(run, address), { force: true });
}

/**
 * By the number, where both have one: a file system with many devices has an anonymous one (major 0), an image file's is not known before.
 * In another place only while the device may still have it: the kernel gives a number that is free to the next one.
 */
function isOf(
  host: Host,
  { deviceNumber, mountpoint }: Mount,
  { number, device, ...note }: NotedMount,
): boolean {
  const isThere = mountpoint === note.mountpoint;
  if (number === undefined || deviceNumber.startsWith('0:')) return isThere;
  if (deviceNumber !== number || isThere) return deviceNumber === number;
  const now = deviceAt(host, device);
  return now === undefined || (now.kind === 'block' && now.number === number);
}

function earlier(
  host: Host,
  run: string,
  address: string,
  volumes: readonly NotedVolume[],
): readonly NotedMount[] {
  const isAgain = ({ device, mountpoint }: NotedMount) =>
    volumes.some((one) => one.device === device && one.mountpoint === mountpoint);
  return [...new Set(notedHere(host, run, address).map(({ note }) => note))].filter((note) => !isAgain(note));
}

function noted(host: Host, { device, mountpoint, type, options, fsid }: NotedVolume): NotedMount {
  const there = deviceAt(host, device);
  const number = there?.kind === 'block' ? there.number : undefined;
  return { number, device, mountpoint, type, options, fsid };
}

function lineOf({ number = '-', device, mountpoint, type, options, fsid = '-' }: NotedMount): string {
  return `${[number, device, mountpoint, type, options || '-', fsid].map(escaped).join(' ')}\n`;
}

/** As the kernel writes a path in /proc/self/mountinfo (fs/proc_namespace.c, seq_path_root). */
function escaped(text: string): string {
  return text.replaceAll(
    /[ \t\n\\]/g,
    (one) => `\\${(one.codePointAt(0) ?? 0).toString(8).padStart(3, '0')}`,
  );
}
