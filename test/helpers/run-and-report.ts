import type { FailoverContext } from '../../src/failover/context.js';
import { runPlan, type StepReport } from '../../src/failover/operations/runner.js';
import type { Plan, Step } from '../../src/failover/steps/steps.js';

/** Runs a plan; what its steps reported, and what it threw. */
export async function runAndReport(
  context: FailoverContext,
  plan: Plan,
): Promise<{ readonly reports: StepReport[]; readonly error: unknown }> {
  const reports: StepReport[] = [];
  const reporter = {
    begin: () => undefined,
    end: (_: Step, report: StepReport) => void reports.push(report),
  };
  const error = await runPlan(plan, context, reporter).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { reports, error };
}
