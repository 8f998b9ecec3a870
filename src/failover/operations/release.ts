import type { Volume } from '../../config/config.js';
import { isManaged, volumesOf } from '../../config/floating-ip.js';
import { FailoverError } from '../../errors.js';
import { isMountOf, mounts } from '../../host/reading/mounts.js';
import { isTimeout, within } from '../../host/running/deadline.js';
import type { FailoverContext } from '../context.js';
import { expectRecordedHere } from '../access/recorded-elsewhere.js';
import { limitOf } from '../limits.js';
import { planRelease } from '../plan.js';
import { volumesBeside } from '../status/volumes-here.js';
import { isNotOwner } from '../steps/other-addresses.js';
import { expectPlaces } from '../steps/places.js';
import type { Plan, Step } from '../steps/steps.js';
import { operateAlone, type OperationLog, type OperationResult } from './operation.js';
import { type Reporter, runPlan } from './runner.js';

/** Throws FailoverError; what was done stays in the record where it can be reached. */
export async function release(
  plan: Plan,
  context: FailoverContext,
  reporter: Reporter,
): Promise<OperationResult> {
  const { session, collected } = context;
  const { undone } = collected;
  /** As the record has it. */
  const end = () => (undone.length > 0 ? 'failed' : 'done');
  const run = async (log: OperationLog): Promise<OperationResult> => {
    session.open({ create: false });
    try {
      session.expectOwner();
    } catch (error) {
      // A namesake's is another matter: whoever runs this may well mean that machine.
      if (!isNotOwner(error) || session.record?.ownership().owner === context.config.node) throw error;
      // Done before, and taken over since: what is not here needs no owner.
      session.close();
      const remarks = await goneHere(plan, context);
      if (remarks === undefined) throw error;
      reportGone(plan, reporter);
      return { ...released, remarks };
    }
    expectRecordedHere(context, 'release');
    // As after a takeover that it refused.
    const foreign = isBeside(plan, context) ? await goneHere(plan, context) : undefined;
    if (foreign !== undefined) {
      reportGone(plan, reporter);
      return { ...released, remarks: foreign };
    }
    await within(limitOf(`release ${plan.address}`, context.config), () => expectPlaces(plan, context));
    session.useReserve('failover');
    log.begin();
    await runPlan(plan, context, {
      begin: (step) => {
        reporter.begin(step);
        // The record may lie on what A-4 unmounts: what it will say then is written before.
        if (step.name === 'A-4' && session.location.onVolume !== undefined)
          log.end(end(), [...undone, 'A-4 follows'].join('; '));
      },
      end: (step, report) => {
        reporter.end(step, report);
        session.open({ create: false });
        log.step(report);
      },
    });
    // A node that is out of grace is no reason to keep an address: the takeover waits for it anew.
    const remarks = [...collected.outOfGrace, ...(await handOverWithoutUnmount(plan, context))];
    log.end(end(), undone.join('; '));
    return undone.length === 0
      ? { ...released, remarks }
      : { ...released, outcome: 'incomplete', undone, remarks };
  };
  return operateAlone(context, 'release', run, () => takeBack(context));
}

const released: OperationResult = {
  outcome: 'done',
  clients: { notified: 0, notNotified: 0 },
  notNotified: [],
  undone: [],
  remarks: [],
};

/**
 * Whether nothing of what a release takes away is here: what a person must know of it; undefined: something is. Something else in the place of a
 * volume is nobody's to unmount, and no reason to fence a node that has nothing of the address.
 */
async function goneHere(plan: Plan, context: FailoverContext): Promise<string[] | undefined> {
  const { host, config, floatingIp } = context;
  const foreign = isBeside(plan, context) ? foreignPlaces(context) : [];
  const steps = foreign.length === 0 ? plan.steps : stepsBeside(plan, context, foreign);
  const isAbsent = async () =>
    (foreign.length === 0 || volumesBeside(host, config, floatingIp).length === 0) &&
    (await isGone({ ...plan, steps }, context));
  if (!(await within(limitOf(`release ${plan.address}`, config), isAbsent))) return undefined;
  return foreign.map((place) => `what is mounted on ${place} is not of ${plan.address}: left there`);
}

/** As planned; without the locks on what is mounted in these places, and without its unmount. */
function stepsBeside(
  { steps }: Plan,
  { floatingIp, driver }: FailoverContext,
  places: readonly string[],
): readonly Step[] {
  const { stateVolume, ...rest } = floatingIp;
  const isOurs = ({ mountpoint }: Volume) => !places.includes(mountpoint);
  const others = planRelease(
    {
      ...rest,
      ...(stateVolume !== undefined && isOurs(stateVolume) ? { stateVolume } : {}),
      filesystems: rest.filesystems.filter(isOurs),
    },
    driver,
  );
  const isOfMount = ({ name }: Step) => name === 'A-3' || name === 'A-4';
  return [...steps.filter((step) => !isOfMount(step)), ...others.steps.filter(isOfMount)];
}

/** Whether the plan would unmount where something else is mounted. */
function isBeside({ steps }: Plan, context: FailoverContext): boolean {
  return steps.some(({ name }) => name === 'A-4') && foreignPlaces(context).length > 0;
}

/** Places of volumes in which something is mounted, and the volume is not, nor below that. */
function foreignPlaces({ host, floatingIp }: FailoverContext): string[] {
  const table = mounts(host);
  const at = (place: string) => table.filter(({ mountpoint }) => mountpoint === place);
  return (isManaged(floatingIp, 'mount') ? [] : volumesOf(floatingIp))
    .filter(({ mountpoint }) => at(mountpoint).length > 0)
    .filter(({ mountpoint, device }) => !at(mountpoint).some((mount) => isMountOf(host, mount, device)))
    .map(({ mountpoint }) => mountpoint);
}

/** Whether nothing of what a release takes away is here. What cannot be looked at may be; what is done each time anew says nothing. */
async function isGone({ steps }: Plan, context: FailoverContext): Promise<boolean> {
  for (const { actions } of steps) {
    for (const action of actions.filter(({ repeats }) => repeats !== true)) {
      try {
        if (!(await action.check(context))) return false;
      } catch (error) {
        if (error instanceof FailoverError && !isTimeout(error)) return false;
        throw error;
      }
    }
  }
  return true;
}

function reportGone({ steps }: Plan, reporter: Reporter): void {
  for (const step of steps) {
    const { name, fsid, subject } = step;
    reporter.begin(step);
    const report = { step: name, state: 'skipped', ms: 0, detail: `${subject}: unchanged` } as const;
    reporter.end(step, fsid === undefined ? report : { ...report, fsid });
  }
}

/**
 * Where somebody else unmounts (`--steps` without A-4), the address is handed over once its locks are dropped; but only where no client
 * can get a new one here: without the next owner would serve it beside this node. Returns a remark where it is not.
 */
async function handOverWithoutUnmount(plan: Plan, context: FailoverContext): Promise<string[]> {
  const { session, config, floatingIp, driver } = context;
  const names = plan.steps.map((step) => step.name);
  if (!names.includes('A-3') || names.includes('A-4')) return [];
  const ownership = session.record?.ownership();
  if (ownership === undefined || !session.owns(ownership)) return [];
  const whole = planRelease(floatingIp, driver);
  const steps = whole.steps.filter(({ name }) => name === 'A-1' || name === 'A-2');
  const { address } = floatingIp;
  const isDown = await within(limitOf(`release ${address}`, config), () =>
    isGone({ ...whole, steps }, context),
  );
  if (!isDown)
    return [
      `${address} is not handed over: it is up, recorded, connected to or exported here still, and A-1 and A-2 end that`,
    ];
  session.record?.setReleased(config.node, ownership.epoch, true);
  return [];
}

/** A-4 failed after the record was handed over: it is still this node's. */
function takeBack({ session, config }: FailoverContext): void {
  if (!session.isHandedOver) return;
  const record = session.open({ create: false });
  const ownership = record?.ownership();
  if (ownership !== undefined && session.owns(ownership))
    record?.setReleased(config.node, ownership.epoch, false);
}
