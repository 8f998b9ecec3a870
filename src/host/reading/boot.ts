import { existsSync } from 'node:fs';
import type { Host } from '../host.js';

/** What relates the callout's clock to everybody's: see the journal's format. */
export interface BootClock {
  /** Seconds since boot with two decimals, as the first field of /proc/uptime has it. */
  readonly uptime: string;
  readonly bootId: string;
}

export function bootClock(host: Host): BootClock {
  const [uptime = '0.00'] = (host.readText('/proc/uptime') ?? '').split(' ');
  return { uptime, bootId: (host.readText('/proc/sys/kernel/random/boot_id') ?? '-').trim() };
}

/** Whether systemd is this host's service manager (sd_booted(3)). */
export function systemdRuns(host: Host): boolean {
  return existsSync(host.path('/run/systemd/system'));
}

/** The service of systemd that a process belongs to, by its control group; undefined: none. */
export function unitOf(host: Pick<Host, 'readText'>, pid: number | string): string | undefined {
  return serviceIn(host.readText(`/proc/${pid}/cgroup`) ?? '');
}

/** Of /proc/PID/cgroup (cgroups(7)): the path in the hierarchy of version 2, or of systemd's own of version 1, ends with the service, or lies in it. */
export function serviceIn(text: string): string | undefined {
  const [, path = ''] = /^(?:0:|\d+:name=systemd):(.*\.service(?:\/.*)?)$/m.exec(text) ?? [];
  return path.split('/').find((name) => name.endsWith('.service'));
}
