import { readdirSync, readlinkSync } from 'node:fs';
import { isAtOrBelow } from '../../paths.js';
import type { Host } from '../host.js';

/**
 * What keeps a mount busy: processes with their working directory, root or an open file below it,
 * as `name (pid N)`, at most eight. Needs root to see everybody's.
 */
export function holders(host: Host, mountpoint: string): string[] {
  const found: string[] = [];
  for (const pid of listing(host.path('/proc')).filter((name) => /^\d+$/.test(name))) {
    const base = host.path(`/proc/${pid}`);
    const links = [
      `${base}/cwd`,
      `${base}/root`,
      ...listing(`${base}/fd`).map((name) => `${base}/fd/${name}`),
    ];
    if (links.some((link) => isAtOrBelow(targetOf(link), mountpoint))) {
      found.push(`${host.readText(`/proc/${pid}/comm`)?.trim() ?? '?'} (pid ${pid})`);
    }
    if (found.length === 8) break;
  }
  return found;
}

function listing(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // the process ended meanwhile, or is not ours to look into
  }
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return '';
  }
}
