import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { FailoverContext } from '../../failover/context.js';
import { claimOwnership } from '../../failover/steps/ownership.js';
import type { Action } from '../../host/action.js';
import { isPresumed } from '../../record/record.js';

/**
 * adopt: the record is made, and this node its owner in epoch 1; where it is that already it goes on. A record that another node owns is
 * refused by the claim (NOT_RELEASED), one that was released here: its clients are to be notified, and takeover does that.
 */
export function claimNew(ip: FloatingIp): Action<FailoverContext> {
  const claim = claimOwnership(ip);
  return {
    ...claim,
    look: (context, options) => {
      refuseReleased(context, ip);
      return claim.look?.(context, options);
    },
    act: async (context) => {
      refuseReleased(context, ip);
      return claim.act({ ...context, voucher: isMarkedByHand(context) ? 'caller' : undefined });
    },
  };
}

/**
 * Whether the owner is this node by its name, and no more is known, as whoever took the address over by hand has written it
 * (nlm-failover-recovery(7)), or rebuild has. That it is served here is what adopt has just seen.
 */
function isMarkedByHand({ session, config }: FailoverContext): boolean {
  const ownership = session.open({ create: false })?.ownership();
  return (
    ownership?.owner === config.node &&
    ownership.machine === undefined &&
    !ownership.released &&
    isPresumed(ownership)
  );
}

/** Throws RECORD_EXISTS, exit code 4. */
function refuseReleased({ session }: FailoverContext, { address }: FloatingIp): void {
  const ownership = session.open({ create: false })?.ownership();
  if (ownership?.owner === undefined || !ownership.released) return;
  const { owner, epoch } = ownership;
  const { directory } = session.location;
  throw new FailoverError(
    `There is a record of ${address} in ${directory} already: node ${owner} has released it (epoch ${epoch}), and its clients have not been notified since`,
    {
      code: 'RECORD_EXISTS',
      exitCode: exitCodes.notOwner,
      operation: `adopt ${address}`,
      hint: `Run "nlm-failover takeover ${address}" here: it notifies them, in a grace. Only where that record is of another time, move ${directory} away, and run adopt again.`,
    },
  );
}
