import { uptime } from 'node:os';
import path from 'node:path';
import { lockHolder } from '../host/reading/locks.js';
import { readTextIfThere, realHost } from '../host/real.js';
import { replaceFile } from '../host/replace-file.js';

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

/** Of the lock of `join-grace --watch`, among those of addresses. */
export const watchName = 'join-grace';

/** Of the lock of `ctdb serve`, beside it. */
export const barrierName = 'ctdb';

/**
 * Whether `join-grace --watch` runs here. `looked`: whole seconds since it last had looked whether any address calls; undefined: it has not
 * been able to. Nothing where it does not run.
 */
export function watcherHere(run: string): { readonly looked: number | undefined } | undefined {
  if (!isOperating(run, watchName)) return undefined;
  const at = Number(readTextIfThere(lookedFile(run)));
  return { looked: at > 0 ? Math.max(0, Math.round(uptime() - at)) : undefined };
}

/** It has looked just now. */
export function noteLook(run: string): void {
  replaceFile(lookedFile(run), `${uptime()}\n`, 0o600);
}

/** Holds the time of the last look, in seconds since the boot: no clock that is set makes a look older. */
function lookedFile(run: string): string {
  return path.join(locksDirectory(run), `${watchName}.looked`);
}
