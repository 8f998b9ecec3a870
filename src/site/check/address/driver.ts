import { FailoverError } from '../../../errors.js';
import { lookAtActions } from '../../../failover/operations/preflight.js';
import { type AddressSite, type Check, ofError, ofObstacle, orElse } from '../check.js';

/** Which lock manager would serve the address, and why none of the others. */
export const driverCheck: Check<AddressSite> = {
  name: 'driver',
  text: 'which lock manager driver a takeover would use, why not the others, and whether B-2 (grace) can be done with it',
  look: async ({ ip, choice, context }) => {
    if (choice instanceof FailoverError) return [ofError(choice)];
    const { driver } = choice;
    const [first] = ip.filesystems;
    const actions = first === undefined ? [] : [...driver.beforeGrace(first), ...driver.enterGrace(first)];
    const found = await lookAtActions(actions, context, { asksNames: false });
    return orElse(found.map(ofObstacle), `${driver.name} (${choice.why})`);
  },
};
