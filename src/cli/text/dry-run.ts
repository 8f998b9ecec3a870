import type { Plan } from '../../failover/steps/steps.js';
import { stepTitles } from '../../step-names.js';
import type { Io } from '../io.js';

/** The exact commands and writes, in order. */
export function printPlan(io: Io, plan: Plan, json: boolean): void {
  for (const { name, title, fsid, subject, actions, covered } of plan.steps) {
    const commands = covered === undefined ? actions.flatMap((action) => action.commands) : [`# ${covered}`];
    if (json) {
      io.out(
        `${JSON.stringify({ step: name, ...(fsid === undefined ? {} : { fsid }), subject, commands })}\n`,
      );
    } else {
      io.out(
        `${name}  ${title ?? stepTitles[name]}: ${subject}\n${commands.map((command) => `     ${command}\n`).join('')}`,
      );
    }
  }
}
