import path from 'node:path';
import { lockHolder } from '../host/reading/locks.js';
import { realHost } from '../host/real.js';

/** Where the locks of operation-lock.ts are. */
export function locksDirectory(run: string): string {
  return path.join(run, 'locks');
}

/**
 * Whether a release, takeover or rebuild of an address is going on here: by the kernel's list, as whoever tried the lock would be in the
 * way of the one who wants it. Apart from the lock for what that loads.
 */
export function isOperating(run: string, address: string): boolean {
  return lockHolder(realHost, path.join(locksDirectory(run), address)) !== undefined;
}
