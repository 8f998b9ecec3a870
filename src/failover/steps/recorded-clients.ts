import type { FloatingIp } from '../../config/config.js';
import { type Action, notSo } from '../../host/action.js';
import type { LockManager } from '../../lockmanager/port.js';
import { clearMark, readMarks } from '../../rundir/marks.js';
import { listed, unrecorded } from '../access/unrecorded.js';
import type { FailoverContext } from '../context.js';

/** B-2, last: whoever is served from now on is recorded. Proved by the callout that statd runs, as its user. */
export function proveCallout(
  { address }: FloatingIp,
  driver: Pick<LockManager, 'calloutFault'>,
): Action<FailoverContext> {
  return {
    commands: ['# the callout that rpc.statd was given is run as its user, with `check`: it writes nothing'],
    byHand: [],
    repeats: true,
    // Before the link is there, whether it can be run at all.
    look: async () => {
      const fault = await driver.calloutFault(undefined);
      return fault === undefined ? [] : [fault];
    },
    check: () => false,
    act: async () => {
      const fault = await driver.calloutFault(address);
      if (fault !== undefined && fault.isNote !== true) throw notSo('B-2', fault.message, fault.hint);
      return fault?.message;
    },
    verify: () => undefined,
  };
}

/** B-2 of an address that is served already: clients that the callout could not record go into the record. */
export function recordMissed({ address, filesystems }: FloatingIp): Action<FailoverContext> {
  const marked = ({ run }: FailoverContext) => readMarks(run, [address]).length > 0;
  return {
    commands: ['# clients whom rpc.statd monitors and the record has not go into it'],
    check: async (context) => !marked(context) && (await missed(context)).length === 0,
    act: async (context) => {
      const { session, driver, config, host, run } = context;
      const names = await missed(context);
      const statd = await driver.monitored();
      session.asOwner('adopting clients', (record) => {
        record.adopt({
          node: config.node,
          clients: statd?.hosts ?? [],
          fsids: filesystems.map(({ fsid }) => fsid),
          now: host.now(),
          myName: config.node,
        });
      });
      const uncleared = clearMark(run, address);
      const remarks = [
        ...(names.length === 0 ? [] : [`recorded now, and not by the callout: ${listed(names)}`]),
        ...(uncleared === undefined ? [] : [uncleared]),
      ];
      return remarks.length === 0 ? undefined : remarks.join('; ');
    },
    verify: () => undefined,
  };
}

function missed({ session, driver }: FailoverContext): Promise<string[]> {
  return unrecorded(
    async () => (await driver.monitored())?.hosts ?? [],
    () => {
      session.opened.fold();
      return session.opened.clientNames();
    },
  );
}
