import { randomFillSync } from 'node:crypto';
import {
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf } from '../../errors.js';
import { syncDirectory } from '../../host/directories.js';
import { withRegularFile } from './files.js';

// A full volume must not forbid a failover: what that writes is little, and finds its space in files that stand beside the record
// for nothing else, and are removed when there is none. Preallocated, as space that is only counted is anybody's.

/**
 * What the space is for. `serving`: what is written while clients can fill the volume again, so it may all be gone afterwards.
 * `failover`: what is written while the address is down, or not up yet; it takes the other one too.
 */
export type Reserve = 'serving' | 'failover';

const names: Readonly<Record<Reserve, string>> = { serving: 'reserve.serving', failover: 'reserve.failover' };

/** What a failover writes into an empty record, with room to spare: pages of the database, its rollback journal, a journal. */
const leastBytes = 512 << 10;

/** Left free for what the same takeover still has to write, before clients can take it. */
const slackBytes = 128 << 10;
const chunkBytes = 64 << 10;

/** How much each of the two has, in bytes, for a record whose files have `used`: a grace rewrites the list, B-2 the journal. */
export function reserveBytes(used: number): number {
  return Math.max(leastBytes, used);
}

/**
 * Makes both as large as they are to be, or as the volume has space for. Returns what they have in all, in bytes. Throws nothing
 * that the system says: whatever is in the way, it is a reserve only.
 */
export function keepReserve(directory: string, bytes: number): number {
  return (['failover', 'serving'] as const).reduce(
    (sum, reserve) => sum + extend(join(directory, names[reserve]), bytes),
    0,
  );
}

/** Gives it up. False: there was none. */
export function spendReserve(directory: string, reserve: Reserve): boolean {
  const files = (reserve === 'failover' ? [names.serving, names.failover] : [names.serving])
    .map((name) => join(directory, name))
    .filter((file) => lstatSync(file, { throwIfNoEntry: false }) !== undefined);
  for (const file of files) rmSync(file);
  // ext4 gives the blocks to others only once the removal is committed (mballoc.c, ext4_mb_free_metadata).
  if (files.length > 0) syncDirectory(directory);
  return files.length > 0;
}

function extend(file: string, bytes: number): number {
  try {
    return (
      withRegularFile(file, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, (fd) =>
        fill(fd, dirname(file), bytes),
      ) ?? 0
    );
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return 0;
  }
}

/** Not zeros: a file system that compresses, or leaves holes, would keep no space for them. */
function fill(fd: number, directory: string, bytes: number): number {
  fchmodSync(fd, 0o600);
  let { size } = fstatSync(fd);
  const { bavail, bsize } = statfsSync(directory);
  const target = Math.min(bytes, size + bavail * bsize - slackBytes);
  try {
    const chunk = randomFillSync(Buffer.allocUnsafe(chunkBytes));
    while (size < target) size += writeSync(fd, chunk, 0, Math.min(chunkBytes, target - size));
    fsyncSync(fd);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
  // Only what it has on the disk: what was written is a promise until it is synced.
  return Math.min(size, fstatSync(fd).blocks * 512);
}
