import type { Host } from '../../host/host.js';
import { lockdInGrace, nfsdInGrace, nfsdThreads, nlmProgram } from '../../host/reading/nfsd.js';
import { monitored } from '../../host/reading/statd.js';
import type { DaemonState, Health, LockManagerContext } from '../port.js';
import { answersInside, instanceDaemons, type RpcService } from './daemons.js';
import { graceLeft } from './grace.js';
import { insideInstance } from './inside.js';
import { instanceExists, instancePlace } from './place.js';
import { instanceProcesses } from './processes.js';

/** Version 4 is that of NFSv3's clients (fs/lockd/svc.c). */
const lockdService: RpcService = { name: 'lockd', program: nlmProgram, version: 4 };

/** What of an instance runs; undefined where there is none. */
export async function instanceHealth(
  host: Host,
  address: string,
  nfsd: string,
  registeredAt: LockManagerContext['registeredAt'],
): Promise<Health | undefined> {
  if (!instanceExists(host, address)) return undefined;
  const inside = insideInstance(address);
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
    const hangs = state === 'running' && (await answersInside(host, address, service)) === false;
    return [service.name, hangs ? 'silent' : state];
  });
  const runs = {
    lockd: threads > 0 && lockdInGrace(inside) === true,
    nfsd: threads > 0 && nfsdInGrace(inside, nfsd) === true,
  };
  return {
    daemons: Object.fromEntries(await Promise.all(daemons)),
    inGrace: runs.lockd || runs.nfsd,
    graceLeft: graceLeft(host, address, runs) ?? 0,
    clients: monitored(inside)?.hosts.length ?? 0,
    counts: { 'nfsd threads': threads },
  };
}
