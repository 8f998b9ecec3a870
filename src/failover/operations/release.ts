import type { FailoverContext } from '../context.js';
import type { Plan } from '../steps/steps.js';
import { operateAlone, type OperationLog, type OperationResult } from './operation.js';
import { type Reporter, runPlan } from './runner.js';

/** Throws FailoverError; what was done stays in the record where it can be reached. */
export async function release(
  plan: Plan,
  context: FailoverContext,
  reporter: Reporter,
): Promise<OperationResult> {
  const { session } = context;
  const run = async (log: OperationLog): Promise<OperationResult> => {
    session.open({ create: false });
    session.expectOwner();
    session.useReserve('failover');
    log.begin();
    await runPlan(plan, context, {
      begin: (step) => {
        reporter.begin(step);
        // The record may lie on what A-4 unmounts: what it will say then is written before.
        if (step.name === 'A-4' && session.location.onVolume !== undefined) log.end('done', 'A-4 follows');
      },
      end: (step, report) => {
        reporter.end(step, report);
        session.open({ create: false });
        log.step(report);
      },
    });
    handOverWithoutUnmount(plan, context);
    log.end('done', '');
    return { outcome: 'done', clients: { notified: 0, notNotified: 0 }, notNotified: [], remarks: [] };
  };
  return operateAlone(context, 'release', run, () => takeBack(context));
}

/** Where somebody else unmounts (`--steps` without A-4), the address is handed over once its locks are dropped. */
function handOverWithoutUnmount(plan: Plan, { session, config }: FailoverContext): void {
  const names = plan.steps.map((step) => step.name);
  if (!names.includes('A-3') || names.includes('A-4')) return;
  const ownership = session.record?.ownership();
  if (ownership !== undefined && session.owns(ownership))
    session.record?.setReleased(config.node, ownership.epoch, true);
}

/** A-4 failed after the record was handed over: it is still this node's. */
function takeBack({ session, config }: FailoverContext): void {
  if (!session.isHandedOver) return;
  const record = session.open({ create: false });
  const ownership = record?.ownership();
  if (ownership !== undefined && session.owns(ownership))
    record?.setReleased(config.node, ownership.epoch, false);
}
