import type { OperationResult } from '../failover/operation.js';
import type { Reporter } from '../failover/runner.js';
import { type Plan, stepTitles, type Step } from '../failover/steps.js';
import type { Progress as NotifyProgress } from '../nsm/report.js';
import { exitCodes } from '../errors.js';
import type { Io } from './io.js';

export interface StepReporter extends Reporter {
  progress(progress: NotifyProgress): void;
  /** Prints how it ended and returns the exit code. */
  result(result: OperationResult): number;
}

/** --json: one object a line, the last one the result. */
export function jsonReporter(io: Io): StepReporter {
  const line = (value: unknown) => io.out(`${JSON.stringify(value)}\n`);
  return {
    begin: () => undefined,
    end: (_, { step, fsid, state, ms, detail }) =>
      line({ step, ...(fsid === undefined ? {} : { fsid }), state, ms, detail }),
    progress: () => undefined,
    result: ({ outcome, clients, untold, remarks }) => {
      const more = { ...(untold.length > 0 ? { untold } : {}), ...(remarks.length > 0 ? { remarks } : {}) };
      line({ result: outcome, clients, ...more });
      return exitCodeOf(outcome);
    },
  };
}

/** For people: each step with its time; at a terminal also while it runs. */
export function textReporter(
  io: Io,
  plan: { readonly kind: Plan['kind'] | 'notify'; readonly address: string },
  begin: string,
): StepReporter {
  const clear = io.isTerminal ? '\r\u001B[2K' : '';
  const head = (step: Step) => `  ${step.name}  ${stepTitles[step.name].padEnd(18)}`;
  let current: Step | undefined;
  const startedAt = performance.now();
  io.out(`${begin}\n`);
  return {
    begin: (step) => {
      current = step;
      if (io.isTerminal) io.out(`${head(step)}  ...  ${step.subject}`);
    },
    end: (step, { state, ms, detail }) => {
      const what = state === 'done' ? `${ms} ms` : state;
      io.out(`${clear}${head(step)}  ${what.padStart(9)}  ${detail}\n`);
    },
    progress: ({ told, total }) => {
      if (io.isTerminal && current !== undefined)
        io.out(`${clear}${head(current)}  ...  ${told} of ${total} clients told`);
    },
    result: ({ outcome, clients, untold, remarks }) => {
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      const all = clients.told + clients.untold;
      const told = all > 0 ? `, ${clients.told} of ${all} clients told` : '';
      io.out(`${plan.kind} ${plan.address}: done in ${seconds} s${told}\n`);
      for (const remark of remarks) io.out(`  NOTE: ${remark}\n`);
      for (const { address, client, reason } of untold)
        io.out(`  NOT told about ${address}: ${client} (${reason})\n`);
      if (untold.length > 0) io.out(`  They stay in the record: nlm-failover notify ${plan.address}\n`);
      return exitCodeOf(outcome);
    },
  };
}

function exitCodeOf(outcome: OperationResult['outcome']): number {
  return outcome === 'untold' ? exitCodes.clientsUntold : exitCodes.done;
}
