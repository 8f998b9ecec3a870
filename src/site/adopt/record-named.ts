import type { FloatingIp } from '../../config/config.js';
import { counted } from '../../counted.js';
import type { FailoverContext } from '../../failover/context.js';
import { heldLocks } from '../../failover/reclaim/held-locks.js';
import type { Action } from '../../host/action.js';

/** adopt --client: clients that somebody names go into the record too. */
export function recordNamed(ip: FloatingIp, clients: readonly string[]): Action<FailoverContext> {
  return {
    commands: clients.map((client) => `# ${client} goes into monitors.db too (--client)`),
    check: ({ session }) => {
      if (clients.length === 0) return true;
      session.opened.fold();
      const known = new Set(session.opened.clientNames());
      return clients.every((client) => known.has(client));
    },
    act: async ({ session, config, host }) => {
      session.asOwner('recording clients', (record) => {
        record.adopt({
          node: config.node,
          clients,
          fsids: ip.filesystems.map(({ fsid }) => fsid),
          now: host.now(),
          myName: config.node,
        });
      });
      return undefined;
    },
    verify: () => undefined,
  };
}

/** adopt, last: how many are recorded now, and what is held. */
export function sayRecorded(ip: FloatingIp): Action<FailoverContext> {
  return {
    commands: [],
    repeats: true,
    check: () => false,
    act: async (context) => {
      context.session.opened.fold();
      const clients = counted(context.session.opened.clientNames().length, 'client');
      const held = (await heldLocks(context, ip))?.length;
      const locks = held === undefined ? '' : `; ${counted(held, 'lock')} held`;
      return `${clients} recorded, whichever address of this node they use: rpc.statd does not say${locks}`;
    },
    verify: () => undefined,
  };
}
