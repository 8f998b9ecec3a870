import { readdirSync } from 'node:fs';
import { errnoOf } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { namespaceOf } from '../../host/reading/namespaces.js';
import { waitUntil } from '../../host/running/wait.js';
import { instancePlace } from './place.js';

export interface InstanceProcess {
  readonly pid: number;
  readonly name: string;
}

/**
 * The processes of an instance: those whose network namespace it is. Membership, not a pid file, is
 * what makes a process the instance's, so a pid that was given to another program is never ours.
 */
export function instanceProcesses(host: Host, address: string): InstanceProcess[] {
  return members(address).map((pid) => ({ pid, name: host.readText(`/proc/${pid}/comm`)?.trim() ?? '' }));
}

/**
 * The pid of some process that is in the instance's network and mount namespaces, and in this one's user namespace: in one of its
 * own any user may change its root, and so what is read by way of /proc/PID/root. Undefined where none is.
 */
export function instanceMember(address: string): number | undefined {
  const mounts = namespaceOf(instancePlace(address).mountNamespace);
  const users = namespaceOf('/proc/self/ns/user');
  return members(address).find(
    (pid) => namespaceOf(`/proc/${pid}/ns/mnt`) === mounts && namespaceOf(`/proc/${pid}/ns/user`) === users,
  );
}

function members(address: string): number[] {
  const namespace = namespaceOf(instancePlace(address).netnsFile);
  if (namespace === undefined) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => namespaceOf(`/proc/${pid}/ns/net`) === namespace)
    .map(Number);
}

/** Ends every process of an instance: SIGTERM, and SIGKILL for what is left after 3 s. False if one stays for [timeouts].settle. */
export async function endInstanceProcesses(host: Host, address: string): Promise<boolean> {
  return end(host, () => instanceProcesses(host, address));
}

/** The same for those of this name. */
export async function endProcesses(host: Host, address: string, name: string): Promise<boolean> {
  return end(host, () => instanceProcesses(host, address).filter((one) => one.name === name));
}

async function end(host: Host, processes: () => readonly InstanceProcess[]): Promise<boolean> {
  const gone = () => processes().length === 0;
  for (const [signal, seconds] of [
    ['SIGTERM', 3],
    ['SIGKILL', undefined],
  ] as const) {
    for (const { pid } of processes()) kill(pid, signal);
    if (await waitUntil(host, 'the processes of the instance to end', gone, { seconds, intervalMs: 50 }))
      return true;
  }
  return false;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}
