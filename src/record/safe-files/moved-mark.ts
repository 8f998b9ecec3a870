import { constants, fchmodSync, fsyncSync, lstatSync, rmSync } from 'node:fs';
import { exitCodes, FailoverError } from '../../errors.js';
import { syncDirectory } from '../../host/directories.js';
import { readAt, withRegularFile, writeAll } from './files.js';
import type { HeldDirectory } from './held-directory.js';

/** `<former state>/sm_<address>/moved`: where the record lies now, on one line. What is beside it counts no more. */
export const movedName = 'moved';
const mostBytes = 4096;

/** In a record that was moved here, until the former one is marked. */
export const unfinishedName = '.moving';

/** Where the record that was here has gone; undefined: it has not. A line without its end is that of a run that was killed. */
export function movedTo(held: HeldDirectory): string | undefined {
  const text = withRegularFile(held.at(movedName), constants.O_RDONLY, (fd) =>
    readAt(fd, 0, mostBytes).toString('utf8'),
  );
  return /^(.+)\n$/u.exec(text ?? '')?.[1];
}

/** Writes that, durable. Over what a run has left that was killed meanwhile. */
export function markMoved(held: HeldDirectory, to: string): void {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;
  withRegularFile(held.at(movedName), flags, (fd) => {
    fchmodSync(fd, 0o600);
    writeAll(fd, Buffer.from(`${to}\n`).toString('latin1'));
    fsyncSync(fd);
  });
  syncDirectory(held.way);
}

export function isUnfinished(held: HeldDirectory): boolean {
  return lstatSync(held.at(unfinishedName), { throwIfNoEntry: false }) !== undefined;
}

/** The new one counts from here on, after a power cut too. */
export function finishMove(held: HeldDirectory): void {
  rmSync(held.at(unfinishedName), { force: true });
  syncDirectory(held.way);
}

/**
 * Throws RECORD_MOVED (exit code 3): a node whose configuration names the former place is not to begin there again, and one that names
 * the new one not before the former one is marked.
 */
export function assertNotMoved(held: HeldDirectory): void {
  const to = movedTo(held);
  if (to !== undefined) {
    throw moved(
      held,
      `The record in ${held.path} was moved to ${to}`,
      'Set state_directory in the configuration of this node as on the node that moved it.',
    );
  }
  if (isUnfinished(held)) {
    throw moved(
      held,
      `The move of a record to ${held.path} was not finished`,
      'Run the same "nlm-failover move-record" again.',
    );
  }
}

function moved({ path }: HeldDirectory, message: string, hint: string): FailoverError {
  return new FailoverError(message, {
    code: 'RECORD_MOVED',
    exitCode: exitCodes.configuration,
    operation: `opening the record in ${path}`,
    hint,
  });
}
