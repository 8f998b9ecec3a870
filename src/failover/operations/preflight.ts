import { type ExitCode, exitCodes, FailoverError } from '../../errors.js';
import type { Action, LookOptions, Obstacle } from '../../host/action.js';
import { isInstalled } from '../../host/running/command.js';
import { isTimeout, within } from '../../host/running/deadline.js';
import type { FailoverContext } from '../context.js';
import { stepLimit } from '../limits.js';
import type { Plan, Step } from '../steps/steps.js';

/**
 * Looks at everything that the steps need, before the first effect: each action's `look`, and its programs. Nothing is claimed or
 * touched. All that is found, each once, in the order of the plan. Throws FailoverError STEP_TIMEOUT or COMMAND_TIMEOUT.
 */
export async function lookAhead(
  plan: Plan,
  context: FailoverContext,
  options: LookOptions,
): Promise<readonly Obstacle[]> {
  const found = new Map<string, Obstacle>();
  const programs = new Set<string>();
  for (const step of plan.steps) {
    const obstacles = await within(stepLimit(step, context), () =>
      lookAtStep(step, context, options, programs),
    );
    for (const one of obstacles) found.set(one.message, one);
  }
  const missing = context.host.kind === 'rehearsal' ? [] : [...programs].filter((name) => !isInstalled(name));
  if (missing.length === 0) return [...found.values()];
  const message = `Not installed, or not on PATH: ${missing.join(', ')}`;
  return [...found.values(), { message, hint: 'Install the packages that bring them.' }];
}

async function lookAtStep(
  step: Step,
  context: FailoverContext,
  options: LookOptions,
  programs: Set<string>,
): Promise<Obstacle[]> {
  // Where this node goes on with what it has: what need not be done cannot fail.
  const { session } = context;
  const isOurs = session.record !== undefined && session.holds(session.previous);
  if (step.covered !== undefined || (isOurs && (await step.skipReason?.(context)) !== undefined)) return [];
  for (const action of step.actions) for (const program of action.programs ?? []) programs.add(program);
  return lookAtActions(step.actions, context, options);
}

/** What each of these actions finds in its way; what its look throws, too. Throws FailoverError STEP_TIMEOUT or COMMAND_TIMEOUT. */
export async function lookAtActions<Context>(
  actions: readonly Action<Context>[],
  context: Context,
  options: LookOptions,
): Promise<Obstacle[]> {
  const found: Obstacle[] = [];
  for (const action of actions) {
    try {
      found.push(...((await action.look?.(context, options)) ?? []));
    } catch (error) {
      if (!(error instanceof FailoverError) || isTimeout(error)) throw error;
      const { message, hint, code, exitCode } = error;
      found.push({ message, hint, code, exitCode });
    }
  }
  return found;
}

/** Throws where something stops the plan: one thing by its own code, several as NOT_READY. A doubt about another node decides the exit code. */
export function refuseObstacles({ kind, address }: Plan, obstacles: readonly Obstacle[]): void {
  const stops = obstacles.filter(({ isNote }) => isNote !== true);
  const [first] = stops;
  if (first === undefined) return;
  const operation = `looking ahead of ${kind} ${address}`;
  if (stops.length === 1) {
    const { message, hint, code = 'NOT_READY', exitCode = exitCodes.configuration } = first;
    throw new FailoverError(message, { code, exitCode, operation, hint });
  }
  const lines = stops.map(({ message, hint }) => `\n  - ${message}.${hint === undefined ? '' : ` ${hint}`}`);
  throw new FailoverError(`${kind} ${address}: ${stops.length} things stand in its way:${lines.join('')}`, {
    code: 'NOT_READY',
    exitCode: worst(stops),
    operation,
    hint: 'Nothing was claimed or touched. Remove them all, then run the same command again; --dry-run looks again.',
  });
}

function worst(stops: readonly Obstacle[]): ExitCode {
  const isDoubtful = stops.some(({ exitCode }) => exitCode === exitCodes.notOwner);
  return isDoubtful ? exitCodes.notOwner : exitCodes.configuration;
}
