import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { isManaged } from '../../config/floating-ip.js';
import type { Action } from '../../host/action.js';
import { expectExported } from '../../host/actions/managed.js';
import { mountOfDevice } from '../../host/reading/mounts.js';
import { isTimeout } from '../../host/running/deadline.js';
import type { Ownership } from '../../record/record.js';
import { servedAddresses, stopServing } from '../../rundir/serving.js';
import { recordReachable, unreachable } from '../access/location.js';
import { expectRecordedHere } from '../access/recorded-elsewhere.js';
import { RecordSession } from '../access/session.js';
import type { FailoverContext } from '../context.js';

/** Another floating IP that this node records for, whose locks go in B-2. */
export interface OtherAddress {
  readonly ip: FloatingIp;
  /** Of its record: open, with this node as its owner. */
  readonly session: RecordSession;
}

/** One that this node still records for, although another node has it by now, or may have. */
export interface LostAddress {
  readonly ip: FloatingIp;
  /** Who owns the address, as a clause. */
  readonly to: string;
}

export interface Others {
  readonly held: readonly OtherAddress[];
  readonly lost: readonly LostAddress[];
}

/**
 * Opens the record of every other address whose locks B-2 takes, for one use. What is not known to all of them is a lock that is
 * lost without a word, so it throws, and nothing was touched: SERVED_UNCONFIGURED (exit code 3) for an address that the
 * configuration does not have any more, SERVED_UNRECORDED (1) for one whose record cannot be used.
 */
export function withOthers<T>(context: FailoverContext, use: (others: Others) => T): T {
  const known = otherAffected(context);
  const stranger = servedBeside(context).find((address) => !known.some((ip) => ip.address === address));
  if (stranger !== undefined) throw unconfigured(context, stranger);
  const held: OtherAddress[] = [];
  const lost: LostAddress[] = [];
  const sessions: RecordSession[] = [];
  try {
    for (const ip of known) {
      const session = new RecordSession(context.host, ip, context.config);
      sessions.push(session);
      const to = openOther(context, ip, session);
      if (to === undefined) expectOtherRecordedHere(context, ip);
      if (to === undefined) held.push({ ip, session });
      else lost.push({ ip, to });
    }
    return use({ held, lost });
  } finally {
    for (const session of sessions) session.close();
  }
}

function expectOtherRecordedHere(context: FailoverContext, ip: FloatingIp): void {
  try {
    expectRecordedHere({ ...context, floatingIp: ip }, 'serving');
  } catch (error) {
    throw unrecorded(ip, error);
  }
}

/** The other floating IPs that this node records for now, as far as the configuration has them, where B-2 takes their locks too; else none. */
export function otherAffected(context: FailoverContext): FloatingIp[] {
  const served = new Set(servedBeside(context));
  return context.config.floatingIps.filter(({ address }) => served.has(address));
}

function servedBeside({ run, floatingIp, driver }: FailoverContext): string[] {
  if (driver.graceTakesLocksOf !== 'node') return [];
  return servedAddresses(run).filter((address) => address !== floatingIp.address);
}

/**
 * Opens the record of another address that is served here. Returns whose the address is, where it is not this node's any more, and
 * then nothing of it may be touched. Throws SERVED_UNRECORDED where the record cannot be used, or says nothing of an owner.
 */
export function openOther(
  { host }: Pick<FailoverContext, 'host'>,
  ip: FloatingIp,
  session: RecordSession,
): string | undefined {
  try {
    const record = session.open({ create: false });
    if (record === undefined) throw recordReachable(host, ip) ? noRecord(ip) : unreachable(host, ip);
    const ownership = record.ownership();
    const to = ownerBeside(session, ownership);
    if (to !== undefined) return to;
    if (ownership.owner === undefined) throw noRecord(ip);
    session.expectOwner();
    session.useReserve('serving');
    return undefined;
  } catch (error) {
    if (isNotOwner(error)) return error.message;
    throw unrecorded(ip, error);
  }
}

/** Whether another node has the address by now, or may have. Throws as openOther. */
function isLost(context: FailoverContext, ip: FloatingIp): boolean {
  return withOther(context, ip, (_, to) => to !== undefined);
}

/** Whether clients of another address that is this node's are still to be notified; also where its record cannot be used, as B-3 will say. */
export function isOwed(context: FailoverContext, ip: FloatingIp): boolean {
  try {
    return withOther(
      context,
      ip,
      (session, to) => to === undefined && session.opened.notifyCounts().notNotified > 0,
    );
  } catch (error) {
    if (error instanceof FailoverError) return true;
    throw error;
  }
}

function withOther<T>(
  context: FailoverContext,
  ip: FloatingIp,
  use: (session: RecordSession, to: string | undefined) => T,
): T {
  const session = new RecordSession(context.host, ip, context.config);
  try {
    return use(session, openOther(context, ip, session));
  } finally {
    session.close();
  }
}

function ownerBeside(session: RecordSession, ownership: Ownership): string | undefined {
  const { owner, epoch, released } = ownership;
  if (owner === undefined) return undefined;
  if (!session.owns(ownership)) return `node ${owner} has it (epoch ${epoch})`;
  return released ? `it was released (epoch ${epoch})` : undefined;
}

/** Ceases to record for an address that is not this node's any more. Returns the sentence that says so. */
export function letGo({ run }: Pick<FailoverContext, 'run'>, { ip: { address }, to }: LostAddress): string {
  stopServing(run, address);
  return `${address} is not this node's any more (${to}): it is recorded here no longer, and its clients are not notified. Take down by hand what is still up of it here`;
}

/** Whether this node has turned out not to be the owner. */
export function isNotOwner(error: unknown): error is FailoverError {
  return error instanceof FailoverError && error.code === 'NOT_OWNER';
}

/**
 * B-2, where entering grace takes the exports of other floating IPs away: they come back at once, before their clients meet
 * stale handles.
 */
export function restoreOtherExports({ address }: FloatingIp): Action<FailoverContext> {
  return {
    commands: [
      `# exportfs -o ... again for every other address served here, if the restart took their exports (${address} comes in B-5)`,
    ],
    byHand: [
      '# the locks of every other address that this node serves have gone too: for each of those B-3, and B-5 where its exports have gone',
    ],
    check: () => false,
    act: async (context) => {
      const lost: string[] = [];
      for (const action of otherExports(context)) {
        try {
          if (await action.check(context)) continue;
          await action.act(context);
          await action.verify(context);
          lost.push(...action.commands);
        } catch (error) {
          // Not this address's: it keeps nobody of this one waiting.
          if (!(error instanceof FailoverError) || isTimeout(error)) throw error;
          context.undone(error.message);
        }
      }
      return lost.length === 0
        ? undefined
        : `the restart had taken exports of other addresses; restored: ${lost.join('; ')}`;
    },
    verify: () => undefined,
  };
}

function otherExports(context: FailoverContext) {
  const { host, driver } = context;
  // An address that another node owns by now is not exported again here.
  const ours = otherAffected(context).filter((ip) => !isLost(context, ip));
  return ours.flatMap((ip) =>
    ip.filesystems
      .filter((filesystem) => mountOfDevice(host, filesystem) !== undefined)
      .flatMap((filesystem) =>
        filesystem.exports.map((one) =>
          isManaged(ip, 'export')
            ? expectExported(one.path, filesystem)
            : driver.exports.make(one, filesystem),
        ),
      ),
  );
}

function unconfigured({ config, floatingIp }: FailoverContext, address: string): FailoverError {
  return new FailoverError(
    `${address} is served here too, and is not in ${config.file} any more. B-2 would drop its locks, and its clients could not be notified`,
    {
      code: 'SERVED_UNCONFIGURED',
      exitCode: exitCodes.configuration,
      operation: `takeover ${floatingIp.address}`,
      hint: `Nothing was restarted. Put ${address} back into the configuration. If it is to go, run "nlm-failover release ${address}".`,
    },
  );
}

function noRecord({ address }: FloatingIp): FailoverError {
  return new FailoverError(`it has no record, or one that nobody owns`, {
    code: 'RECORD_UNREACHABLE',
    exitCode: exitCodes.stepFailed,
    operation: `opening the record of ${address}`,
    hint: `Run "nlm-failover takeover ${address}", or "nlm-failover release ${address}".`,
  });
}

function unrecorded({ address }: FloatingIp, cause: unknown): unknown {
  if (!(cause instanceof FailoverError)) return cause;
  return new FailoverError(
    `${address} is served here too, and its record cannot be used: ${cause.message}. B-2 would drop its locks, and its clients could not be notified`,
    {
      code: 'SERVED_UNRECORDED',
      exitCode: exitCodes.stepFailed,
      operation: cause.operation,
      hint: cause.hint,
      cause,
    },
  );
}
