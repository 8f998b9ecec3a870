import type { FloatingIp } from '../../config/config.js';
import type { Action } from '../../host/action.js';
import { expectUnexposed } from '../access/exposure.js';
import type { LockManager } from '../../lockmanager/port.js';
import type { FailoverContext } from '../context.js';

/** B-1: a record that clients can write to is not served with. The configuration tells most of it; what is mounted tells the rest. */
export function refuseExposed(
  { stateDirectory }: FloatingIp,
  { exports: { shownBy = 'exportfs -v' } }: Pick<LockManager, 'exports'>,
): Action<FailoverContext> {
  return {
    commands: [
      `findmnt -no MAJ:MIN -T ${stateDirectory}   # not that of anything in "${shownBy}" that is not sec=krb5, unless trust_clients is set`,
    ],
    check: async (context) => {
      await expectUnexposed(context);
      return true;
    },
    act: async () => undefined,
    verify: () => undefined,
  };
}
