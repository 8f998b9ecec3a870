import { exitCodes, FailoverError } from '../../errors.js';
import { expectRecordedHere } from '../../failover/access/recorded-elsewhere.js';
import type { FailoverContext } from '../../failover/context.js';
import { operateAlone, type OperationResult } from '../../failover/operations/operation.js';
import { lookAhead, refuseObstacles } from '../../failover/operations/preflight.js';
import { type Reporter, runPlan } from '../../failover/operations/runner.js';
import type { Plan } from '../../failover/steps/steps.js';
import { unitRemarks } from '../unit/unit-state.js';

/**
 * `nlm-failover adopt`: an address that is served here by other means comes under control: its record, this node its owner, its
 * clients in it, and recording. Nothing is interrupted. What was looked at, and is worth a person's attention, is in `remarks`. After a
 * crash the same command goes on. Throws FailoverError; NOT_READY (exit code 3) where the address is not served as the configuration says.
 */
export async function adopt(
  plan: Plan,
  context: FailoverContext,
  reporter: Reporter,
): Promise<OperationResult> {
  const { session } = context;
  refuseInstance(context);
  return operateAlone(context, 'adopt', async (log) => {
    expectRecordedHere(context, 'adopt');
    if (session.holds(session.open({ create: false })?.ownership())) session.claim(false);
    const obstacles = await lookAhead(plan, context, { asksNames: true });
    refuseObstacles(plan, obstacles);
    await runPlan(plan, context, {
      begin: (step) => reporter.begin(step),
      end: (step, report) => {
        reporter.end(step, report);
        log.step(report);
      },
    });
    log.end('done', '');
    const notes = obstacles.map(({ message, hint }) => `${message}.${hint === undefined ? '' : ` ${hint}`}`);
    return {
      outcome: 'done',
      clients: { notified: 0, notNotified: 0 },
      notNotified: [],
      undone: [],
      remarks: [...notes, atBoot, ...(await unitRemarks(context.host, context.floatingIp.address))],
    };
  });
}

const atBoot =
  'From now on nlm-failover mounts, exports and brings the address up: take these out of what this node does at boot (/etc/fstab, /etc/exports, its network configuration; run no exportfs -r while it is served), or a reboot serves beside the other node';

/** A driver that serves from an instance, where there is none: a lock cannot move into one while it is held. One that was made by hand is as good as ours. Throws DRIVER_UNSUITED, exit code 3. */
export function refuseInstance({ driver, floatingIp: { address } }: FailoverContext): void {
  if (driver.enter.length === 0 || driver.absence() === undefined) return;
  throw new FailoverError(
    `${address} cannot be adopted with the driver ${driver.name}: it serves from an instance, into which no lock can move without an interruption`,
    {
      code: 'DRIVER_UNSUITED',
      exitCode: exitCodes.configuration,
      operation: `adopt ${address}`,
      hint: instanceHint,
    },
  );
}

/** What to do where the configuration has such a driver. */
export const instanceHint =
  'Set [lock_manager].driver to "auto", and run adopt again. With "auto" the next failover goes into an instance where the host can have one: its clients keep their locks, as in any failover.';
