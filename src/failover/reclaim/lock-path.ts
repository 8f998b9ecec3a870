import {
  closeSync,
  constants,
  type Dir,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  type Stats,
} from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { doing } from '../../host/running/watchdog.js';

/** Long enough for a few hundred thousand files. */
const searchMs = 10_000;

export interface FoundPaths {
  /** By inode. */
  readonly paths: ReadonlyMap<number, string>;
  /** False: the time was over before everything was looked at. */
  readonly complete: boolean;
}

/**
 * The names of files by their inodes, on one file system, for as long as `timeoutMs`: as `find MOUNTPOINT -xdev -inum N` for
 * several at once that stops when it has them all. Lists nothing that lies on another file system, follows no symbolic link,
 * and reads no file. A directory that cannot be read is passed over. One name of each, where it has several.
 */
export async function pathsOfInodes(
  root: string,
  inodes: readonly number[],
  timeoutMs = searchMs,
): Promise<FoundPaths> {
  const wanted = new Set(inodes);
  const paths = new Map<number, string>();
  const deadline = performance.now() + timeoutMs;
  const device = lstat(`${root}/.`)?.dev;
  // The root may be named by a link of root's.
  const directories = [`${root}/.`];
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    // A signal is heard when the event loop turns.
    await nextTurn();
    for (const { name, stats } of entries(directory, device)) {
      if (paths.size === wanted.size) return { paths, complete: true };
      if (performance.now() >= deadline) return { paths, complete: false };
      if (stats === undefined || stats.dev !== device) continue;
      const file = path.join(directory, name);
      if (wanted.has(stats.ino)) paths.set(stats.ino, file);
      if (stats.isDirectory()) directories.push(file);
    }
  }
  return { paths, complete: true };
}

/**
 * What is in a directory of this file system, and through its descriptor: clients may put a link in its place meanwhile, or in that of one
 * above it. Then nothing is listed that is not on this file system, and no more is looked at than what was listed.
 *
 * Not with node:fs/promises: a thread of its pool that waits for a dead disk is waited for at the end of the process, while what
 * blocks this thread is the watchdog's.
 */
function* entries(
  directory: string,
  device: number | undefined,
): Generator<{ readonly name: string; readonly stats: Stats | undefined }> {
  doing(`listing ${directory}`);
  let fd: number | undefined;
  let listed: Dir | undefined;
  try {
    fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    if (fstatSync(fd).dev !== device) return;
    const way = `/proc/self/fd/${fd}`;
    listed = opendirSync(way);
    for (let entry = listed.readSync(); entry !== null; entry = listed.readSync())
      yield { name: entry.name, stats: lstat(path.join(way, entry.name)) };
  } catch {
    // Removed meanwhile, or not ours to read: then its files are not found.
  } finally {
    listed?.closeSync();
    if (fd !== undefined) closeSync(fd);
  }
}

function lstat(file: string): Stats | undefined {
  try {
    return lstatSync(file);
  } catch {
    return undefined;
  }
}
