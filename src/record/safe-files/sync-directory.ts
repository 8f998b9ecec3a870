import { closeSync, constants, fsyncSync, openSync } from 'node:fs';

/** Makes the names in a directory durable: what was made, renamed or removed in it (fsync(2), NOTES). */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
