import { exitCodes, FailoverError } from '../../errors.js';
import type { Action } from '../../host/action.js';
import type { StepName } from '../../step-names.js';
import type { FailoverContext } from '../context.js';

/** A step as it will be run. A-3 and B-2 come once per fsid. */
export interface Step {
  readonly name: StepName;
  /** What it is called here; default: see step-names.ts. */
  readonly title?: string;
  readonly fsid?: string;
  /** What it works on, for people. */
  readonly subject: string;
  readonly actions: readonly Action<FailoverContext>[];
  /** Said of a step that has nothing to do because another one did it: "in the same grace as fsid 1". */
  readonly covered?: string;
  /** A reason to skip the whole step, where its actions cannot tell by looking at the system alone. */
  readonly skipReason?: (context: FailoverContext) => string | undefined | Promise<string | undefined>;
  /** Done where the step is skipped for that reason: what has gone since it was done, and comes back without it. */
  readonly mends?: readonly Action<FailoverContext>[];
}

/** A value: the steps in order with their exact commands. Printed by --dry-run, run by the runner. */
export interface Plan {
  readonly kind: 'release' | 'takeover' | 'adopt';
  readonly address: string;
  readonly steps: readonly Step[];
}

/** The plan up to the first step of that name, and from it on; the second without steps where it has none. */
export function splitBefore(plan: Plan, name: StepName): [Plan, Plan] {
  const index = plan.steps.findIndex((step) => step.name === name);
  const at = index === -1 ? plan.steps.length : index;
  return [
    { ...plan, steps: plan.steps.slice(0, at) },
    { ...plan, steps: plan.steps.slice(at) },
  ];
}

/** Whether `--steps`, or its absence, asks for all of these. */
export function includesSteps(wanted: string | undefined, names: readonly StepName[]): boolean {
  return wanted === undefined || names.every((name) => stepNames(wanted).includes(name));
}

function stepNames(wanted: string): string[] {
  return wanted.split(',').map((name) => name.trim().toUpperCase());
}

/**
 * The steps that `--steps B-2,B-3` asks for; all where it is not given.
 * Throws FailoverError STEPS_UNKNOWN for a name that this operation has not.
 */
export function selectSteps(plan: Plan, wanted: string | undefined): Plan {
  if (wanted === undefined) return plan;
  const known = [...new Set(plan.steps.map((step) => step.name))];
  const names = stepNames(wanted);
  const unknown = names.filter((name) => !known.some((step) => step === name));
  if (unknown.length > 0) {
    throw new FailoverError(
      `--steps: ${unknown.map((name) => `"${name}"`).join(', ')} is no step of ${plan.kind}`,
      {
        code: 'STEPS_UNKNOWN',
        exitCode: exitCodes.usage,
        operation: `${plan.kind} ${plan.address}`,
        hint: `Name some of ${known.toSorted().join(', ')}, with commas between them. They run in the order of the plan.`,
      },
    );
  }
  return { ...plan, steps: plan.steps.filter((step) => names.includes(step.name)) };
}
