import type { Config } from '../config/config.js';
import type { Limit } from '../host/running/deadline.js';
import type { FailoverContext } from './context.js';
import type { Step } from './steps/steps.js';

/** How long what is no step may take, and what is said of it where it takes longer. */
export function limitOf(what: string, { timeouts }: Pick<Config, 'timeouts'>): Limit {
  const { step, settle, busy, record } = timeouts;
  return { what, seconds: step, key: '[timeouts].step', settle, busy, record };
}

/** How long a step may take. B-3 has its own end, after which it has named everybody not notified: this one is beyond that. */
export function stepLimit({ name, subject }: Step, context: FailoverContext): Limit {
  const { timeouts } = context.config;
  const seconds =
    name === 'B-3'
      ? notifySeconds(context) + timeouts.step
      : timeouts.steps[name] + fencingSeconds(name, context) + barrierSeconds(name, context);
  return { ...limitOf(`${name} (${subject})`, context.config), seconds, key: `[timeouts].${name}` };
}

/** How long `notify` may take, which is B-3 alone. */
export function notifyLimit(context: FailoverContext): Limit {
  const { floatingIp, config } = context;
  const seconds = notifySeconds(context) + config.timeouts.step;
  return { ...limitOf(`notify ${floatingIp.address}`, config), seconds, key: '[timeouts].B-3' };
}

/** When takeover has done its steps it waits for the reclaims, as long as the grace lasts, and names what is missing. */
export function auditLimit(context: FailoverContext): Limit {
  const { floatingIp, config } = context;
  const seconds = context.driver.graceSeconds() + config.timeouts.step;
  return { ...limitOf(`the audit of ${floatingIp.address}`, config), seconds };
}

/** B-1 claims the address, and may have to wait for the proof that its owner is down: once of the others, once of him. */
function fencingSeconds(name: Step['name'], { config, voucher }: FailoverContext): number {
  return name === 'B-1' && typeof voucher === 'object' ? 2 * config.timeouts.fencing : 0;
}

/** B-2 and A-3 wait for every node that exports a shared file system. */
function barrierSeconds(name: Step['name'], { config, floatingIp }: FailoverContext): number {
  return floatingIp.shared !== undefined && (name === 'B-2' || name === 'A-3') ? config.timeouts.barrier : 0;
}

function notifySeconds(context: FailoverContext): number {
  const { notifyDeadlineMs } = context;
  return notifyDeadlineMs === undefined ? context.driver.graceSeconds() : Math.ceil(notifyDeadlineMs / 1000);
}
