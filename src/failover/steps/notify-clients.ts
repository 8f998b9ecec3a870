import { notifyNames } from '../../config/floating-ip.js';
import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Action } from '../../host/action.js';
import { notifyFrom } from '../../nsm/worker/notify-child.js';
import type { LockManager } from '../../lockmanager/port.js';
import { counted } from '../../counted.js';
import { isFull } from '../../record/record.js';
import { RecordSession } from '../access/session.js';
import { type FailoverContext, nobody, type Notified } from '../context.js';
import { watchDuring } from '../reclaim/reclaim-watch.js';
import { isNotOwner, letGo, openOther, otherAffected } from './other-addresses.js';
import { notifyByHand } from './notify-by-hand.js';
import { listIsMade } from './rerun.js';

/**
 * B-3: SM_NOTIFY to everybody still not notified in the record of the address, and of each other address
 * whose locks went in B-2.
 */
export function notifyClients(
  ip: FloatingIp,
  { enter }: Pick<LockManager, 'enter'>,
): Action<FailoverContext> {
  return {
    commands: [
      `# SM_NOTIFY from ${ip.address} to each client of "nlm-failover clients ${ip.address}", naming ${notifyNames(ip).join(', ')}`,
      `# by hand: nlm-failover notify ${ip.address}`,
    ],
    byHand: notifyByHand(ip, enter),
    check: () => false,
    act: async (context) => {
      // The address is up, so clients can fill the volume again: the rest is for the next failover.
      context.session.useReserve('serving');
      if (!listIsMade(context)) {
        context.session.asOwner('listing whom to notify', (record) => {
          record.fold();
          record.beginGrace({ now: context.host.now() });
        });
      }
      const others = otherAffected(context);
      // All to their ends: what goes wrong with one address is not to keep the clients of another from being notified.
      const ended = await watchDuring(context, () =>
        Promise.allSettled([
          notifyRecorded(context, ip, context.session),
          ...others.map(async (other) => notifyOther(context, other)),
        ]),
      );
      const results = ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      const result: Notified = {
        notified: results.reduce((sum, { notified }) => sum + notified, 0),
        notNotified: results.flatMap(({ notNotified }) => notNotified),
        remarks: results.flatMap(({ remarks }) => remarks),
      };
      context.collected.notified = result;
      for (const one of ended) if (one.status === 'rejected') throw one.reason;
      // Not done, so that B-2 is judged anew by the next run: its grace may be over before anybody was notified.
      if (context.signal.aborted && result.notNotified.length > 0) throw interrupted('B-3', ip, result);
      return [
        `${result.notified} notified, ${result.notNotified.length} not notified`,
        ...result.remarks,
      ].join('; ');
    },
    verify: () => undefined,
  };
}

/** Stopped by a signal with clients still not notified; `what` was going on. */
export function interrupted(
  what: 'B-3' | 'notify',
  { address }: FloatingIp,
  { notified, notNotified }: Pick<Notified, 'notified' | 'notNotified'>,
): FailoverError {
  return new FailoverError(
    `Interrupted in ${what}: ${notified} notified, ${notNotified.length} not notified`,
    {
      code: 'INTERRUPTED',
      exitCode: exitCodes.stepFailed,
      operation: `${what} SM_NOTIFY from ${address}`,
      hint: 'Run the same command again: it notifies the others.',
    },
  );
}

/** The clients of another address, as long as that is this node's. */
async function notifyOther(context: FailoverContext, ip: FloatingIp): Promise<Notified> {
  const session = new RecordSession(context.host, ip, context.config);
  try {
    const to = openOther(context, ip, session);
    if (to !== undefined) return { ...nobody, remarks: [letGo(context, { ip, to })] };
    return await notifyRecorded(context, ip, session);
  } catch (error) {
    if (!isNotOwner(error)) throw error;
    return { ...nobody, remarks: [letGo(context, { ip, to: error.message })] };
  } finally {
    session.close();
  }
}

/**
 * One address: notifies the not notified, keeps in the record who was, as it happens. Whether the address is still this node's is asked
 * before each batch of packets: the clients of another node, notified outside of its grace, would lose their locks. Throws NOT_OWNER
 * (exit code 4), and then nothing more is sent.
 */
export async function notifyRecorded(
  context: FailoverContext,
  ip: FloatingIp,
  session: RecordSession,
): Promise<Notified> {
  const record = session.opened;
  const clients = record.toNotify();
  const state = record.nsmState();
  if (clients.length === 0 || state === undefined) return nobody;
  const { host, driver, rpcbindPort, signal } = context;
  const late = new LateCount(driver);
  let unwritten = 0;
  const result = await notifyFrom(ip === context.floatingIp ? driver.enter : [], {
    source: { address: ip.address, family: ip.family },
    names: notifyNames(ip),
    state,
    pair: ip.legacyNotify,
    clients,
    seen: record.seenToNotify(),
    deadlineMs: context.notifyDeadlineMs ?? driver.graceSeconds() * 1000,
    rpcbindPort,
    signal,
    onProgress: (progress) => context.onNotifyProgress(progress),
    confirm: () => session.assertStillOwner(),
    onNotified: (notified) => {
      try {
        session.asOwner('writing who was notified', () => record.markNotified(notified, host.now()));
      } catch (error) {
        // Not worth those who are still to be notified.
        if (!isFull(error)) throw error;
        unwritten += notified.length;
      }
      late.notified(notified.length);
    },
  });
  const tooLate = await late.result();
  for (const { client, reason } of result.notNotified)
    context.log('info', { address: ip.address, client, reason }, 'client not notified');
  return {
    notified: result.notified.length,
    notNotified: result.notNotified.map((one) => ({ ...one, address: ip.address })),
    remarks: [
      ...(tooLate > 0
        ? [`${tooLate} were notified after the end of the grace period: their reclaims are refused`]
        : []),
      ...(unwritten > 0
        ? [
            `no space to write down ${counted(unwritten, 'client')} that ${unwritten === 1 ? 'was' : 'were'} notified: "nlm-failover notify ${ip.address}" would notify them once more`,
          ]
        : []),
      ...(result.sourceUsed === ip.address ? [] : [otherSource(ip)]),
    ],
  };
}

/**
 * How many were notified when the grace was over. Asked while SM_NOTIFY goes on being sent, one question at a time: whoever is notified
 * meanwhile is counted with the next.
 */
export class LateCount {
  readonly #driver: Pick<LockManager, 'inGrace'>;
  #waiting = 0;
  #late = 0;
  #asking: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(driver: Pick<LockManager, 'inGrace'>) {
    this.#driver = driver;
  }

  notified(count: number): void {
    this.#waiting += count;
    this.#asking ??= this.#ask();
  }

  /** Once everybody has been asked for. Throws what `inGrace` throws. */
  async result(): Promise<number> {
    await this.#asking;
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#late;
  }

  async #ask(): Promise<void> {
    try {
      while (this.#waiting > 0) {
        const count = this.#waiting;
        this.#waiting = 0;
        if ((await this.#driver.inGrace()) === false) this.#late += count;
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.#asking = undefined;
  }
}

function otherSource({ address }: FloatingIp): string {
  return `${address} is not up here, so SM_NOTIFY came from another address of this host: clients that look at the source address ignore it`;
}
