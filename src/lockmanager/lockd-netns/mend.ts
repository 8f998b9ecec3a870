import { endProcesses } from './processes.js';
import type { Argv } from '../../host/host.js';
import type { LockManagerAction, LockManagerContext } from '../port.js';
import { type Daemon, startDaemon } from './daemons.js';
import { instanceHealth } from './health.js';
import { systemdRuns } from '../../host/reading/boot.js';
import { unitOf } from './supervision.js';

/**
 * Those daemons of a running instance that do not serve are started anew, without a grace: rpc.mountd and rpc.statd, which reads its
 * list of clients when it starts (nfs-utils utils/statd/monitor.c, load_state). lockd looks for it anew each time (fs/lockd/mon.c,
 * nsm_create). rpcbind is not among them: with it goes what lockd had registered.
 */
export function mendDaemons(
  { address, nfsd }: { readonly address: string; readonly nfsd: string },
  daemons: readonly Daemon[],
): LockManagerAction {
  const ill = async ({ host, registeredAt }: LockManagerContext): Promise<readonly Daemon[]> => {
    const states = (await instanceHealth(host, address, nfsd, registeredAt))?.daemons ?? {};
    return daemons.filter(({ name, restarts }) => restarts && states[name] !== 'running');
  };
  return {
    commands: [`# rpc.statd and rpc.mountd of ${address} are started anew where they do not serve`],
    check: async (context) => (await ill(context)).length === 0,
    act: async (context) => {
      const begun = await ill(context);
      for (const daemon of begun) {
        const stop: Argv = ['systemctl', 'stop', unitOf({ address, name: daemon.name })];
        // One that has died has no unit any more.
        if (systemdRuns(context.host)) await context.host.run(stop);
        await endProcesses(context.host, address, daemon.name);
        const start = startDaemon(address, daemon);
        await start.act(context);
        await start.verify(context);
      }
      return `started anew: ${begun.map(({ name }) => name).join(', ')}`;
    },
    verify: () => undefined,
  };
}
