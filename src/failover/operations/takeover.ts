import { counted } from '../../counted.js';
import { within } from '../../host/running/deadline.js';
import { type FailoverContext, nobody } from '../context.js';
import { isRecording } from '../../rundir/serving.js';
import { expectUnexposed } from '../access/exposure.js';
import { recordReachable } from '../access/location.js';
import { expectRecordedHere } from '../access/recorded-elsewhere.js';
import type { RecordSession } from '../access/session.js';
import { claimVouched } from '../access/vouching.js';
import { limitOf, stepLimit } from '../limits.js';
import { withdrawStanding } from '../sharing/barrier.js';
import { withOthers } from '../steps/other-addresses.js';
import { expectPlaces } from '../steps/places.js';
import { isGraceMissed } from '../steps/rerun.js';
import { type Plan, splitBefore } from '../steps/steps.js';
import { awaitRelease } from './await-release.js';
import { operateAlone, type OperationResult } from './operation.js';
import { fencingText } from './vouched.js';
import { lookAhead, refuseObstacles } from './preflight.js';
import { type Reporter, runPlan } from './runner.js';

/** B-1 to B-5. `patience`: for how many seconds another node that has the address may still release it. Throws FailoverError. */
export async function takeover(
  plan: Plan,
  context: FailoverContext,
  reporter: Reporter,
  patience = 0,
): Promise<OperationResult> {
  const { session, collected } = context;
  return operateAlone(context, 'takeover', async (log) => {
    expectRecordedHere(context, 'takeover');
    if (patience > 0) await awaitRelease(context, patience);
    // B-2 asks the same; here nothing has been touched yet.
    if (plan.steps.some((step) => step.name === 'B-2') && !isRecording(context.run, plan.address))
      await within(limitOf(`takeover ${plan.address}`, context.config), async () =>
        withOthers(context, () => undefined),
      );
    if (recordReachable(context.host, context.floatingIp))
      await within(limitOf(`takeover ${plan.address}`, context.config), () => expectUnexposed(context));
    await within(limitOf(`takeover ${plan.address}`, context.config), () => expectPlaces(plan, context));
    session.useReserve('failover');
    const isShared = session.location.onVolume === undefined;
    // What this node has already it keeps, in the same epoch; anything else is claimed when all has been looked at.
    if (session.holds(session.open({ create: false })?.ownership())) session.claim(false);
    refuseObstacles(plan, await lookAhead(plan, context, { asksNames: false }));
    if (session.open({ create: isShared }) !== undefined) {
      await claimVouched(context);
      log.begin();
    } else if (!plan.steps.some((step) => step.name === 'B-1')) {
      // Single steps need the record too: says what to mount first.
      session.opened.ownership();
    }
    const remarks = await runWithinGrace(plan, context, {
      begin: (step) => reporter.begin(step),
      end: (step, report) => {
        reporter.end(step, report);
        log.step(report);
      },
    });
    // Not before: a later run has to wait for what they have left, and not for them.
    if (plan.steps.some(({ name }) => name === 'B-3')) session.settleTakeover();
    const { notified, notNotified, remarks: more } = collected.notified ?? nobody;
    const { undone } = collected;
    const silent = [
      ...collected.outOfGrace,
      ...(notNotified.length > 0 ? [`${counted(notNotified.length, 'client')} not notified`] : []),
    ].join('; ');
    const clients = { notified, notNotified: notNotified.length };
    const counts = collected.notified === undefined ? undefined : clients;
    if (undone.length > 0) log.end('failed', undone.join('; '), counts);
    else log.end(silent === '' ? 'done' : 'not-notified', silent, counts);
    return {
      outcome: undone.length > 0 ? 'incomplete' : silent === '' ? 'done' : 'not-notified',
      undone,
      clients,
      notNotified,
      remarks: [...remarks, ...collected.outOfGrace, ...more],
      ...fencingOf(session),
    };
  });
}

function fencingOf(session: RecordSession): Pick<OperationResult, 'fencing'> {
  const fencing = fencingText(session);
  return fencing === undefined ? {} : { fencing };
}

/**
 * Runs the plan of a takeover, and what lies between B-2 and B-3 twice where the grace did not last until B-3. Only once more:
 * whatever ended that one too, who is notified late is counted. Returns remarks.
 */
async function runWithinGrace(plan: Plan, context: FailoverContext, reporter: Reporter): Promise<string[]> {
  const [prepared, notifying] = splitBefore(plan, 'B-3');
  const [, again] = splitBefore(prepared, 'B-2');
  const [next] = notifying.steps;
  await runPlan(prepared, context, reporter);
  const isMissed =
    next !== undefined &&
    again.steps.length > 0 &&
    (await within(stepLimit(next, context), () => isGraceMissed(context)));
  if (isMissed) await runPlan(again, context, reporter);
  await runPlan(notifying, context, reporter);
  if (next !== undefined && context.floatingIp.shared !== undefined) withdrawStanding(context);
  return isMissed
    ? ['the grace period had ended before anybody could be notified, so it was entered again']
    : [];
}
