import { setImmediate as nextTurn } from 'node:timers/promises';
import { errnoOf, exitCodes, FailoverError, messageOf } from '../../errors.js';
import type { Action } from '../../host/action.js';
import { currentDeadline, within } from '../../host/running/deadline.js';
import type { FailoverContext } from '../context.js';
import { stepLimit } from '../limits.js';
import type { StepName } from '../../step-names.js';
import type { Plan, Step } from '../steps/steps.js';

/** What became of one step; printed as one JSON object a line by --json. */
export interface StepReport {
  readonly step: StepName;
  readonly fsid?: string;
  readonly state: 'done' | 'skipped' | 'failed';
  /** How long it took. */
  readonly ms: number;
  readonly detail: string;
}

export interface Reporter {
  begin(step: Step): void;
  end(step: Step, report: StepReport): void;
}

/**
 * Runs a plan: each action is checked, done and verified, and right before each effect the record
 * is asked whether this node is still the owner. Stops at the first failure, which it throws after
 * reporting it. An interruption takes effect between two effects, never inside one. Each step is run under its deadline,
 * whatever it does.
 */
export async function runPlan(plan: Plan, context: FailoverContext, reporter: Reporter): Promise<void> {
  for (const step of plan.steps) {
    await refuseWhenInterrupted(context, step);
    reporter.begin(step);
    const started = performance.now();
    const report = (state: StepReport['state'], detail: string): StepReport => ({
      step: step.name,
      ...(step.fsid === undefined ? {} : { fsid: step.fsid }),
      state,
      ms: Math.round(performance.now() - started),
      detail,
    });
    try {
      reporter.end(step, await within(stepLimit(step, context), () => runStep(step, context, report)));
    } catch (thrown) {
      const error = namedFailure(thrown, step);
      reporter.end(step, report('failed', messageOf(error)));
      throw error;
    }
  }
}

async function runStep(
  step: Step,
  context: FailoverContext,
  report: (state: StepReport['state'], detail: string) => StepReport,
): Promise<StepReport> {
  context.session.assertStillOwner();
  const reason = step.covered ?? (await step.skipReason?.(context));
  const remarks: string[] = [];
  const acted: Action<FailoverContext>[] = [];
  try {
    for (const action of reason === undefined ? step.actions : (step.mends ?? [])) {
      await refuseWhenInterrupted(context, step);
      currentDeadline().doing = action.commands.join('; ').slice(0, 300);
      if (await action.check(context)) continue;
      context.session.assertStillOwner();
      context.log('info', { step: step.name, fsid: step.fsid, commands: action.commands }, 'doing');
      const remark = await action.act(context);
      acted.push(action);
      await action.verify(context);
      if (remark !== undefined) remarks.push(remark);
    }
  } catch (error) {
    throw isNotForUs(error) ? await takenBack(error, acted, context) : error;
  }
  if (acted.every((action) => action.repeats === true))
    return report('skipped', `${step.subject}: ${unchanged(context, reason)}`);
  return report('done', [step.subject, ...remarks].join('; '));
}

/** A step that changed nothing; `reason`: why it was not even begun. Where this node goes on with what it has, that is no news. */
function unchanged({ session }: FailoverContext, reason: string | undefined): string {
  if (reason === undefined) return 'unchanged';
  return session.holds(session.previous) ? `unchanged, ${reason}` : reason;
}

/** Exit codes that promise that nothing more was touched. */
function isNotForUs(error: unknown): error is FailoverError {
  return (
    error instanceof FailoverError &&
    (error.exitCode === exitCodes.notOwner || error.exitCode === exitCodes.configuration)
  );
}

/** Takes back what the step had done before it met that. Returns the error, with what could not be taken back. */
async function takenBack(
  error: FailoverError,
  acted: readonly Action<FailoverContext>[],
  context: FailoverContext,
): Promise<FailoverError> {
  const left: string[] = [];
  for (const action of acted.toReversed()) {
    try {
      await action.undo?.(context);
    } catch (failure) {
      left.push(messageOf(failure));
    }
  }
  if (left.length === 0) return error;
  const { code, exitCode, operation, hint, cause } = error;
  const message = `${error.message}. And not taken back: ${left.join('; ')}`;
  return new FailoverError(message, { code, exitCode, operation, hint, cause });
}

async function refuseWhenInterrupted({ signal }: FailoverContext, step: Step): Promise<void> {
  // A signal is heard when the event loop turns, which a chain of effects that wait for nothing does not let it.
  await nextTurn();
  if (!signal.aborted) return;
  throw new FailoverError(`Interrupted before ${step.name} (${step.subject})`, {
    code: 'INTERRUPTED',
    exitCode: exitCodes.stepFailed,
    operation: step.name,
    hint: 'Run the same command again: it goes on where this one stopped.',
  });
}

/** A system call of ours that failed, on a full or broken file system say, is no defect of this program. */
function namedFailure(error: unknown, { name, subject }: Step): unknown {
  if (error instanceof FailoverError || errnoOf(error) === undefined) return error;
  return new FailoverError(`${name} (${subject}): ${messageOf(error)}`, {
    code: 'SYSTEM_ERROR',
    exitCode: exitCodes.stepFailed,
    operation: name,
    hint: 'See that file and its file system. Then run the same command again: it goes on where this one stopped.',
    cause: error,
  });
}
