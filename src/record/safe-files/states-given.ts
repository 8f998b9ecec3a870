import { constants, fchmodSync, fdatasyncSync, fstatSync } from 'node:fs';
import { join } from 'node:path';
import { syncDirectory } from '../../host/directories.js';
import { readAt, withRegularFile, writeAll } from './files.js';

/**
 * `<state>/sm_<address>/nsm-states`: every NSM state that this address was given, by any node, one decimal number a
 * line, appended before it is used. It is a witness beside the database: where monitors.db is restored from a backup,
 * or made anew, and the clock is wrong too, this file still knows which states clients may have seen.
 */
export const statesName = 'nsm-states';

const statesPath = (directory: string): string => join(directory, statesName);

/** The most that a state may be: `int state` of SM_NOTIFY is signed (X/Open XNFS, struct stat_chge). */
export const maxState = 0x7fff_ffff;
/** States rise from line to line, so the end of the file is enough. */
const tailBytes = 4096;

/** The highest state in the file; 0 where there is none. Lines that are no states, a torn one among them, count for nothing. */
export function highestGiven(directory: string): number {
  return withRegularFile(statesPath(directory), constants.O_RDONLY, highestIn) ?? 0;
}

/** Appends `state`, durable. Call it before the state is committed, let alone sent. */
export function noteGiven(directory: string, state: number): void {
  const fresh = withRegularFile(
    statesPath(directory),
    constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND,
    (fd) => {
      const { size } = fstatSync(fd);
      // Whatever the umask.
      if (size === 0) fchmodSync(fd, 0o600);
      // The newline first: what a crash or a full disk has torn off stays a line of its own.
      writeAll(fd, `${size === 0 ? '' : '\n'}${state}\n`);
      fdatasyncSync(fd);
      return size === 0;
    },
  );
  if (fresh === true) syncDirectory(directory);
}

function highestIn(fd: number): number {
  const { size } = fstatSync(fd);
  const from = Math.max(0, size - tailBytes);
  // The last piece has no newline behind it, and the first one of a tail may have lost its beginning.
  const lines = readAt(fd, from, size - from)
    .toString('latin1')
    .split('\n')
    .slice(from === 0 ? 0 : 1, -1);
  const states = lines.filter((line) => /^[0-9]{1,10}$/u.test(line)).map(Number);
  // After the last one of all, counting begins again, which this file must not hold up.
  return Math.max(0, ...states.filter((state) => state < maxState));
}
