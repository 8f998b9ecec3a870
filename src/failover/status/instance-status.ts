import path from 'node:path';
import type { FloatingIp } from '../../config/config.js';
import type { Host } from '../../host/host.js';
import { answersInside } from '../../lockmanager/lockd-netns/answers.js';
import { type Daemon, instanceDaemons } from '../../lockmanager/lockd-netns/daemons.js';
import { graceLeft } from '../../lockmanager/lockd-netns/grace.js';
import { insideInstance } from '../../lockmanager/lockd-netns/inside.js';
import { instanceExists, instancePlace } from '../../lockmanager/lockd-netns/place.js';
import { instanceProcesses } from '../../lockmanager/lockd-netns/processes.js';
import { inGrace, nfsdThreads, nlmProgram } from '../../host/reading/nfsd.js';
import { monitored } from '../../host/reading/statd.js';
import type { Reader } from '../access/with-record.js';

/**
 * unregistered: it runs, but no client finds it, as after an rpcbind that was started anew. silent: it is found, and does
 * not answer.
 */
export type DaemonState = 'running' | 'silent' | 'unregistered' | 'dead';

/** With the driver lockd-netns: what of the address's instance runs. */
export interface InstanceStatus {
  readonly daemons: Readonly<Record<string, DaemonState>>;
  readonly nfsdThreads: number;
  readonly inGrace: boolean;
  /** Seconds until the grace ends by itself; 0 when it is over. */
  readonly graceLeft: number;
  /** Hosts that the instance's statd monitors. */
  readonly clients: number;
}

type RpcService = Pick<Daemon, 'name' | 'program' | 'version'>;

/** Version 4 is that of NFSv3's clients (fs/lockd/svc.c). */
const lockdService: RpcService = { name: 'lockd', program: nlmProgram, version: 4 };

export interface InstanceReader extends Reader {
  readonly registeredAt: (rpcbindSocket: string, program: number) => Promise<boolean>;
}

/** How the host is seen from an instance, and where its serving links are. */
export function instanceView(address: string): { host: Host; run: string } {
  return { host: insideInstance(address), run: path.join(instancePlace(address).run, 'nlm-failover') };
}

/** Undefined where the address has no instance here. */
export async function instanceStatus(
  { host, config, registeredAt }: InstanceReader,
  { address }: FloatingIp,
): Promise<InstanceStatus | undefined> {
  if (host.kind !== 'real' || !instanceExists(host, address)) return undefined;
  const { host: inside } = instanceView(address);
  const { nfsd } = config.lockManager;
  const { rpcbindSocket } = instancePlace(address);
  const names = new Set(instanceProcesses(host, address).map(({ name }) => name));
  const threads = nfsdThreads(inside, nfsd);
  const found: [RpcService, DaemonState][] = [];
  for (const service of [
    ...instanceDaemons('').map((daemon) => ({ ...daemon, runs: names.has(daemon.name) })),
    // A kernel thread, there while nfsd has threads.
    { ...lockdService, runs: threads > 0 },
  ]) {
    const registered = service.runs && (await registeredAt(rpcbindSocket, service.program));
    found.push([service, registered ? 'running' : service.runs ? 'unregistered' : 'dead']);
  }
  // At once: one that hangs is waited for. After all else: rpcbind's own answers have a time of their own.
  const daemons = found.map(async ([service, state]): Promise<[string, DaemonState]> => {
    const { name, program, version } = service;
    const hangs = state === 'running' && (await answersInside(host, address, program, version)) === false;
    return [name, hangs ? 'silent' : state];
  });
  const reclaims = threads > 0 && inGrace(inside, nfsd) === true;
  return {
    daemons: Object.fromEntries(await Promise.all(daemons)),
    nfsdThreads: threads,
    inGrace: reclaims,
    graceLeft: reclaims ? (graceLeft(host, address) ?? 0) : 0,
    clients: monitored(inside)?.hosts.length ?? 0,
  };
}

/** Whether something of an instance that should run does not. */
export function isInstanceBroken({ daemons }: InstanceStatus): boolean {
  return Object.values(daemons).some((state) => state !== 'running');
}
