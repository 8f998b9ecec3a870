import { writeFileSync } from 'node:fs';
import { bootClock } from '../../host/reading/boot.js';
import type { Host } from '../../host/host.js';
import { instancePlace } from './place.js';

/** B-2, right before nfsd starts: when the grace of an instance begins, seconds since boot, and for how many seconds it runs. */
export function noteGrace(host: Host, address: string, seconds: number): void {
  writeFileSync(instancePlace(address).graceFile, `${bootClock(host).uptime} ${seconds}\n`, { mode: 0o644 });
}

/**
 * Whole seconds, rounded up, until the grace of an instance ends by itself; 0 once it should have, undefined where none
 * was noted. Whether it still runs only the kernel knows: see host/nfsd.
 */
export function graceLeft(host: Host, address: string): number | undefined {
  const [began, seconds] = (host.readText(instancePlace(address).graceFile) ?? '').split(' ').map(Number);
  if (began === undefined || seconds === undefined || Number.isNaN(began + seconds)) return undefined;
  return Math.max(0, Math.ceil(began + seconds - Number(bootClock(host).uptime)));
}
