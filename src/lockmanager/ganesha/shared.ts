import type { LockManagerAction, SharedLocks } from '../port.js';
import type { Bus } from './bus.js';
import { graceByCall } from './grace.js';
import { graceAlone, releaseOf } from './methods.js';
import { ganeshaProcess } from './process.js';
import { rebootClients } from './reboot.js';

/** Of exports that every node has: the server enters grace with the others, and the locks of one address go while the exports stay. */
export function sharedLocks(bus: Bus, address: string): SharedLocks {
  return {
    joinGrace: () => whereItRuns(bus, graceByCall(bus, graceAlone, 'B-2'), notRunning),
    dropLocks: () =>
      whereItRuns(
        bus,
        graceByCall(bus, releaseOf(address), 'A-3'),
        `${notRunning}: its locks have gone with it`,
      ),
    // Whom it has met over UDP it does not know by the address of this server (nlm_owner.c, get_nlm_client: the local address of the socket).
    forgetClients: async (clients, signal) =>
      isGone(bus) || bus.host.kind === 'rehearsal' ? [] : rebootClients(clients, signal),
  };
}

const notRunning = 'NFS-Ganesha does not run here';

/** Its locks end with its process, and it begins with a grace: nothing is to be done where there is none. */
function whereItRuns(bus: Bus, action: LockManagerAction, otherwise: string): LockManagerAction {
  return {
    ...action,
    act: async (context) => (isGone(bus) ? otherwise : action.act(context)),
    verify: async (context) => {
      if (!isGone(bus)) await action.verify(context);
    },
  };
}

function isGone({ host }: Bus): boolean {
  return host.kind === 'real' && ganeshaProcess(host) === undefined;
}
