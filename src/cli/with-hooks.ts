import { messageOf } from '../errors.js';
import type { FailoverContext } from '../failover/context.js';
import type { Occasion, Outcome } from '../failover/hooks/event.js';
import type { Io } from './io.js';
import { printable } from './text/printable.js';

/** Where `work` leaves what it came to. */
export type Seen = { -readonly [Key in keyof Omit<Outcome, 'error'>]: Outcome[Key] };

/**
 * Runs an operation, and then, when it is recorded and nothing of it is held, the hooks of what it came to, one after another. What is
 * wrong with one is said on standard error, and logged. Returns and throws what `work` does, whatever the hooks do.
 */
export async function withHooks<T>(
  io: Io,
  context: FailoverContext,
  operation: Occasion['operation'],
  work: (seen: Seen) => Promise<T>,
): Promise<T> {
  const began = context.host.now();
  const seen: Seen = {};
  try {
    const done = await work(seen);
    await tell(io, context, { operation, began }, seen);
    return done;
  } catch (error) {
    await tell(io, context, { operation, began }, { ...seen, error });
    throw error;
  }
}

/** Throws nothing, not even what is a defect of ours: the operation is done. */
async function tell(
  io: Io,
  context: FailoverContext,
  occasion: Pick<Occasion, 'operation' | 'began'>,
  outcome: Outcome,
): Promise<void> {
  try {
    await runHooks(io, context, occasion, outcome);
  } catch (error) {
    io.err(`nlm-failover: the hooks could not be run: ${messageOf(error)}\n`);
  }
}

async function runHooks(
  io: Io,
  context: FailoverContext,
  occasion: Pick<Occasion, 'operation' | 'began'>,
  outcome: Outcome,
): Promise<void> {
  const { config, floatingIp, host, session, driver, log } = context;
  if (Object.keys(config.hooks.on).length === 0) return;
  const { eventsOf } = await import('../failover/hooks/event.js');
  const { runHook } = await import('../failover/hooks/run-hook.js');
  const events = eventsOf(
    {
      ...occasion,
      address: floatingIp.address,
      node: config.node,
      driver: driver.name,
      epoch: session.epoch,
      ended: host.now(),
    },
    outcome,
  );
  for (const event of events) {
    const wrong = await runHook(context, event);
    if (wrong === undefined) continue;
    const { address } = floatingIp;
    log('warn', { hook: `on_${event.event}`, address, operation: occasion.operation }, wrong);
    io.err(`nlm-failover: ${printable(wrong)}; the ${occasion.operation} of ${address} is as it was\n`);
  }
}
