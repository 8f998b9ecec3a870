import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
  rmdirSync,
  statfsSync,
  unlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.js';
import { makeDirectory, type Owner } from '../host/directories.js';
import type { Argv, Host } from '../host/host.js';
import { mountAt } from '../host/reading/mounts.js';
import { escapeBytes, isClientName } from '../names.js';

/** What the callout left behind about an event that it could not write, or not make durable. */
export interface Mark {
  /** The floating IP; or "refused", for a name that may not be recorded at all; or "unsynced", for what sync said. */
  readonly address: string;
  /** The event, when (seconds since boot; of "unsynced" a time in UTC), and why; escaped, bounded. */
  readonly text: string;
}

/** More than the callout ever writes. */
const longest = 700;

/**
 * What the callout's last act, sync of each journal that is not synchronous by itself, complained of on its standard
 * error: events were written, and acknowledged to the clients all the same, since statd ignores how its callout ends
 * (nfs-utils utils/statd/monitor.c, ha_callout in support/include/ha-callout.h), but a power cut may lose them.
 */
export const unsynced = 'unsynced';

/** The directory of the marks in a run directory. */
export function marksDirectory(run: string): string {
  return join(run, 'marks');
}

/**
 * Gives the marks a small file system of their own: statd's user can fill that, and not /run, where everybody's sockets and
 * pid files are. A page for each mark, be it 64 KiB.
 */
export function mountMarks(directory: string): Argv {
  const options = 'mode=0700,size=8m,nr_inodes=1024,nodev,nosuid,noexec';
  return ['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', directory];
}

/**
 * Makes `<run>/marks`, on a file system of its own, `owner` being statd's user. `host` is the node, also for the run directory of
 * an instance. Returns why it has none, as a sentence, where it was not to be had: then the marks are there all the same.
 */
export async function makeMarks(host: Host, run: string, owner: Owner): Promise<string | undefined> {
  makeDirectory(run, 0o755);
  const directory = marksDirectory(run);
  // A rehearsal mounts nothing.
  if (host.kind === 'rehearsal') {
    makeDirectory(directory, 0o700, owner);
    return undefined;
  }
  const mountpoint = join(realpathSync(run), 'marks');
  let why: string | undefined;
  if (mountAt(host, mountpoint) === undefined) {
    makeDirectory(directory, 0o700, owner);
    const { exitCode, stderr } = await host.run(mountMarks(mountpoint), { short: true });
    if (exitCode !== 0) why = `${directory} has no file system of its own: ${stderr.trim()}`;
  }
  makeDirectory(directory, 0o700, owner);
  return why;
}

/**
 * The marks in `<run>/marks` that have one of these names, sorted. That directory belongs to statd's user, which talks to
 * the network: nothing in it is followed, waited for, or shown as it is, and what else is in it is not even listed.
 */
export function readMarks(run: string, names: readonly string[]): Mark[] {
  const directory = marksDirectory(run);
  const marks = names
    .filter(isClientName)
    .toSorted()
    .map((address) => ({ address, text: readMark(directory, address) }))
    .filter(({ text }) => text !== '');
  return isFull(directory)
    ? [
        ...marks,
        {
          address: 'full',
          text: 'the file system of marks is full: of what was not recorded not all may be said',
        },
      ]
    : marks;
}

function isFull(directory: string): boolean {
  try {
    const { bavail, files, ffree } = statfsSync(directory);
    return bavail === 0 || (files > 0 && ffree === 0);
  } catch {
    return false; // none
  }
}

function readMark(directory: string, name: string): string {
  const path = join(directory, name);
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    return `a mark that cannot be read (${errnoOf(error) ?? 'unknown error'})`;
  }
  try {
    const file = fstatSync(fd);
    if (!file.isFile()) return 'a mark that is not a regular file';
    const text = firstBytes(fd, longest).toString('latin1').trimEnd();
    if (name !== unsynced || text === '') return escapeBytes(text, longest);
    // The last complaint is written over those before it, so below its line may be what is left of them.
    const [complaint = ''] = text.split('\n');
    return `${file.mtime.toISOString()} not durable: ${escapeBytes(complaint, longest)}`;
  } finally {
    closeSync(fd);
  }
}

/** Of a regular file on tmpfs: one read(2) gives all that is there. */
function firstBytes(fd: number, most: number): Buffer {
  const bytes = Buffer.alloc(most);
  return bytes.subarray(0, readSync(fd, bytes, 0, most, 0));
}

/**
 * Removes the mark of an address, once what was not recorded has been made good (B-2 adopts statd's whole list). Returns why it
 * could not, as a sentence: statd's user may put there what it likes, and that is no reason to stop.
 */
export function clearMark(run: string, address: string): string | undefined {
  if (!isClientName(address)) return undefined;
  const mark = join(marksDirectory(run), address);
  let errno: string | undefined;
  for (const remove of [unlinkSync, rmdirSync]) {
    try {
      remove(mark);
      return undefined;
    } catch (error) {
      errno = errnoOf(error);
      if (errno === 'ENOENT') return undefined;
    }
  }
  return `${mark} could not be cleared (${errno ?? 'unknown error'})`;
}
