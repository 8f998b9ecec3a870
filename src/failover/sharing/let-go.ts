import type { FloatingIp } from '../../config/config.js';
import { counted } from '../../counted.js';
import { FailoverError, messageOf } from '../../errors.js';
import type { Action } from '../../host/action.js';
import { isTimeout } from '../../host/running/deadline.js';
import { settleText, waitUntil } from '../../host/running/wait.js';
import type { LockManager } from '../../lockmanager/port.js';
import { freezeServing, servedAddresses, servingJournal, thawServing } from '../../rundir/serving.js';
import { RecordSession } from '../access/session.js';
import type { FailoverContext } from '../context.js';
import { notifyRecorded } from '../steps/notify-clients.js';
import { isNotOwner, openOther } from '../steps/other-addresses.js';
import { isNothingHere } from './barrier.js';

/**
 * A-3 where the exports stay: what clients hold through the address goes, with every node in grace. What the same clients hold through
 * another address of this node goes with it, so they are notified from there too.
 */
export function letGoOfLocks(ip: FloatingIp, driver: LockManager): Action<FailoverContext> {
  const drop = driver.shared?.dropLocks();
  return {
    commands: [
      '# of each other address served here: nobody leaves its record until its clients are notified',
      ...(drop?.commands ?? []),
      '# the lock manager takes each recorded client for rebooted (SM_NOTIFY of NLM): what it holds here goes',
      '# SM_NOTIFY from each other address served here to the clients of both: what they hold through it has gone too',
    ],
    ...(drop?.byHand === undefined ? {} : { byHand: drop.byHand }),
    ...(drop?.programs === undefined ? {} : { programs: drop.programs }),
    check: (context) => isNothingHere(context),
    act: async (context) => {
      const { session } = context;
      session.record?.fold();
      const clients = session.record?.clientNames() ?? [];
      const others = othersHere(context, ip);
      const remarks: (string | undefined)[] = [];
      // What the lock manager drops, its statd forgets, and with it the callout.
      for (const other of others) remarks.push(await listed(context, other, clients));
      remarks.push(await drop?.act(context));
      const uncertain = await driver.shared?.forgetClients(clients, context.signal);
      if (uncertain !== undefined && uncertain.length > 0) remarks.push(await untilLetGo(context, uncertain));
      for (const other of others) remarks.push(await notifyBeside(context, other));
      return remarks.filter((remark) => remark !== undefined && remark !== '').join('; ') || undefined;
    },
    verify: async (context) => drop?.verify(context),
  };
}

function othersHere({ run, config }: FailoverContext, { address }: FloatingIp): FloatingIp[] {
  const served = new Set(servedAddresses(run));
  return config.floatingIps.filter(
    (other) => other.address !== address && other.shared !== undefined && served.has(other.address),
  );
}

/** Freezes the record of another address, and lists there who is a client of both. */
function listed(
  context: FailoverContext,
  other: FloatingIp,
  clients: readonly string[],
): Promise<string | undefined> {
  const { run, host } = context;
  return beside(context, other, (session) => {
    const journal = servingJournal(run, other.address);
    if (journal !== undefined) freezeServing(run, other.address, journal);
    session.asOwner('listing whom to notify', (record) => {
      record.fold();
      const own = new Set(record.clientNames());
      const both = clients.filter((client) => own.has(client));
      if (both.length > 0) record.beginGrace({ now: host.now(), only: both });
    });
    return undefined;
  });
}

/** A lock manager unmonitors a client whose locks are gone. Each is seen unmonitored once: who asks for a lock through another address is monitored anew. */
async function untilLetGo(
  { host, driver }: FailoverContext,
  clients: readonly string[],
): Promise<string | undefined> {
  const left = new Set(clients);
  await waitUntil(
    host,
    'the lock manager to let the locks of the address go',
    async () => {
      const monitored = new Set((await driver.monitored())?.hosts);
      for (const client of left) if (!monitored.has(client)) left.delete(client);
      return left.size === 0;
    },
    { intervalMs: 50 },
  );
  return left.size === 0
    ? undefined
    : `${counted(left.size, 'client')} monitored still after ${settleText()}: their locks may be held here`;
}

async function notifyBeside(context: FailoverContext, other: FloatingIp): Promise<string | undefined> {
  return beside(context, other, async (session) => {
    // Whoever waits for the address that moves does not wait for the dead of another one. Who is there answers at once.
    const notifyDeadlineMs = Math.min(
      context.notifyDeadlineMs ?? Number.POSITIVE_INFINITY,
      context.config.timeouts.settle * 1000,
    );
    const { notified, notNotified, remarks } = await notifyRecorded(
      { ...context, notifyDeadlineMs },
      other,
      session,
    );
    thawServing(context.run, other.address);
    if (notified + notNotified.length === 0) return undefined;
    const missed = notNotified.map(({ client, reason }) => `${client} (${reason})`).join(', ');
    return [
      `${counted(notified, 'client')} of ${other.address} notified too`,
      ...(missed === ''
        ? []
        : [
            `NOT NOTIFIED of ${other.address}: ${missed}; "nlm-failover notify ${other.address}" tries them again`,
          ]),
      ...remarks,
    ].join('; ');
  });
}

/** With the record of another address, where it is this node's. What goes wrong with it is said, and keeps nothing else from being done. */
async function beside(
  context: FailoverContext,
  other: FloatingIp,
  use: (session: RecordSession) => string | undefined | Promise<string | undefined>,
): Promise<string | undefined> {
  const session = new RecordSession(context.host, other, context.config);
  try {
    return openOther(context, other, session) === undefined ? await use(session) : undefined;
  } catch (error) {
    if (isNotOwner(error)) return undefined;
    if (!(error instanceof FailoverError) || isTimeout(error)) throw error;
    return `clients of ${other.address} may have lost locks, and are not notified: ${messageOf(error)}`;
  } finally {
    session.close();
  }
}
