import type { FailoverError } from '../errors.js';
import type { FailoverContext } from '../failover/context.js';
import { lookAhead, refuseObstacles } from '../failover/operations/preflight.js';
import type { Plan } from '../failover/steps/steps.js';
import type { Io } from './io.js';
import { printPlan } from './text/dry-run.js';

/** What is printed above the steps. */
export interface DryRunHead {
  readonly title: string;
  readonly json: boolean;
  /** Why this driver. */
  readonly why: string;
  /** release: what of the address the configuration has otherwise than this node, as sentences. */
  readonly otherwise?: readonly string[];
  /** What this host lacks for the driver: said with what else stands in the way. */
  readonly unable?: FailoverError | undefined;
}

/**
 * --dry-run: with which driver, and why; the exact commands and writes, in order; then what a look ahead finds. Nothing is touched. Throws
 * what the command itself would refuse with.
 */
export async function dryRun(
  io: Io,
  plan: Plan,
  context: FailoverContext,
  { title, json, why, otherwise = [], unable }: DryRunHead,
): Promise<void> {
  const { kind, address } = plan;
  if (json) line(io, { plan: kind, address, node: context.config.node, driver: context.driver.name, why });
  else io.out(`${title}\n`);
  printPlan(io, plan, json);
  for (const message of otherwise) {
    if (json) line(io, { note: message, hint: null });
    else io.out(`NOTE: ${message}\n`);
  }
  const obstacles = await lookAhead(plan, context, { asksNames: true, isAll: true });
  for (const { message, hint } of obstacles.filter(({ isNote }) => isNote === true)) {
    if (json) line(io, { note: message, hint });
    else io.out(`NOTE: ${message}. ${hint ?? ''}\n`);
  }
  refuseObstacles(plan, [...(unable === undefined ? [] : [unable]), ...obstacles]);
}

function line(io: Io, value: unknown): void {
  io.out(`${JSON.stringify(value)}\n`);
}
