import type { Config, FloatingIp, Volume } from '../../config/config.js';
import { isManaged, mountOrder, volumesOf } from '../../config/floating-ip.js';
import { errnoOf, FailoverError } from '../../errors.js';
import { type Action, notSo } from '../../host/action.js';
import { unmountFilesystem } from '../../host/actions/mount.js';
import type { Host } from '../../host/host.js';
import { mountedBeside } from '../../host/reading/device-users.js';
import { isMountOf, mountAt } from '../../host/reading/mounts.js';
import { currentDeadline } from '../../host/running/deadline.js';
import { waitUntil } from '../../host/running/wait.js';
import { forgetConfiguration, isConfigurationNoted, noteConfiguration } from '../../rundir/configuration.js';
import {
  forgetMounts,
  isNoted,
  notedAddresses,
  type NotedHere,
  notedHere,
  notedMounts,
  type NotedVolume,
  noteMounts,
} from '../../rundir/mounts.js';
import { runDirectory } from '../../rundir/serving.js';
import type { FailoverContext } from '../context.js';

type FailoverAction = Action<FailoverContext>;
type Place = Pick<FailoverContext, 'host' | 'config'>;

/** B-1, first: the configuration with which it is taken over is noted, for a release that cannot use the one that is there then. */
export function noteConfigured({ address }: FloatingIp): FailoverAction {
  return {
    commands: [],
    repeats: true,
    check: ({ host, config }) => isConfigurationNoted(runDirectory(host), address, config),
    act: async ({ host, config }) =>
      unlessFull('the configuration', () => noteConfiguration(runDirectory(host), address, config)),
    verify: () => undefined,
    undo: async ({ host }) => forgetWhatIsGone(host, address),
  };
}

/** B-1, first: what will be mounted is noted (src/rundir/mounts.ts), so that it is found again whatever becomes of the configuration. */
export function noteVolumes(ip: FloatingIp): FailoverAction {
  const { address } = ip;
  return {
    commands: [],
    repeats: true,
    check: ({ host }) => isNoted(host, runDirectory(host), address, toNote(ip)),
    act: async ({ host }) =>
      unlessFull('what is mounted', () => noteMounts(host, runDirectory(host), address, toNote(ip))),
    verify: () => undefined,
    undo: async ({ host }) => forgetWhatIsGone(host, address),
  };
}

/** A note is worth less than that the address is served. Returns a sentence where there is no space for it. */
function unlessFull(what: string, note: () => void): string | undefined {
  try {
    note();
    return undefined;
  } catch (error) {
    if (!(error instanceof FailoverError) || errnoOf(error.cause) !== 'ENOSPC') throw error;
    return `${what} is not noted: ${error.message}`;
  }
}

function toNote({ stateVolume, filesystems }: FloatingIp): readonly NotedVolume[] {
  return [...(stateVolume === undefined ? [] : [stateVolume]), ...filesystems];
}

/** A-4, last: what is mounted still stays noted. */
export function forgetVolumes({ address }: FloatingIp): FailoverAction {
  return {
    commands: [],
    repeats: true,
    check: () => false,
    act: async ({ host }) => forgetWhatIsGone(host, address),
    verify: () => undefined,
  };
}

function forgetWhatIsGone(host: Host, address: string): undefined {
  const run = runDirectory(host);
  if (notedHere(host, run, address).length > 0) return;
  forgetMounts(run, address);
  forgetConfiguration(run, address);
}

/**
 * What was mounted here for the address and the configuration has elsewhere by now, or not at all: the mount point or the device was
 * edited, or the file system taken out, or left to others (managed_by_others), while it was served. What has come to another address is
 * that one's as soon as this node has taken it over: until then another node may, and mount it a second time.
 */
export function notedBeside({ host, config }: Place, ip: FloatingIp): NotedHere[] {
  const ours = isManaged(ip, 'mount') ? [] : volumesOf(ip);
  const isAt = ({ device, mountpoint }: Volume, { mount }: NotedHere) =>
    mountpoint === mount.mountpoint && isMountOf(host, mount, device);
  // What is configured as it was noted is unmounted as ever, and refused where it is mounted elsewhere too.
  const isConfigured = ({ note }: NotedHere) =>
    ours.some(({ device, mountpoint }) => device === note.device && mountpoint === note.mountpoint);
  return notedHere(host, runDirectory(host), ip.address).filter(
    (one) =>
      !isConfigured(one) &&
      !ours.some((volume) => isAt(volume, one)) &&
      !isNotedForAnother(host, config, ip, one),
  );
}

/** Whether it has come to another address of the configuration, which has it in the same place, and has been taken over here since. */
export function isNotedForAnother(
  host: Host,
  config: Config,
  { address }: FloatingIp,
  { mount }: NotedHere,
): boolean {
  return config.floatingIps
    .filter((other) => other.address !== address && volumesOf(other).some((one) => isIn(one)))
    .some((other) => notedMounts(runDirectory(host), other.address).some((one) => isIn(one)));

  function isIn({ device, mountpoint }: Pick<Volume, 'device' | 'mountpoint'>): boolean {
    return mountpoint === mount.mountpoint && isMountOf(host, mount, device);
  }
}

/**
 * The other address for which this node has mounted what lies topmost in a place, by its note: it is served from there still, whatever the
 * configuration has there by now. Undefined: nothing is mounted there, or for this address, or nobody has noted it.
 */
export function notedForOther(host: Host, { address }: FloatingIp, place: string): string | undefined {
  const mount = mountAt(host, place);
  if (mount === undefined) return undefined;
  const run = runDirectory(host);
  const isNotedFor = (one: string) =>
    notedMounts(run, one).some(
      ({ device, mountpoint }) => mountpoint === place && isMountOf(host, mount, device),
    );
  return isNotedFor(address)
    ? undefined
    : notedAddresses(run).find((other) => other !== address && isNotedFor(other));
}

/**
 * A-4, before the hand-over: what the configuration has for the address by now is not mounted here, for another address or by anybody: the next owner mounts it. Waited for, as a cluster may stop both addresses at once. Throws NOT_VERIFIED.
 */
export function expectGivenFree(ip: FloatingIp): FailoverAction {
  const { address } = ip;
  const given = ({ host, config }: Place) =>
    config.floatingIps
      .filter((one) => one.address === address && !isManaged(one, 'mount'))
      .flatMap(volumesOf)
      // What the record lies on is unmounted last.
      .filter((volume) => !mountOrder(ip).first.some((one) => one.device === volume.device))
      .flatMap(({ device }) =>
        mountedBeside(host, { device, mountpoint: '' }).map((where) => ({ device, where })),
      );
  return {
    commands: [],
    repeats: true,
    // Of an address that was never here, or is another node's, there is nothing to hand over.
    check: (context) => context.session.epoch === 0 || given(context).length === 0,
    act: async (context) => {
      const { busy: seconds } = currentDeadline().limit;
      const isFree = () => given(context).length === 0;
      await waitUntil(context.host, `what ${address} has been given`, isFree, { seconds, intervalMs: 500 });
      return undefined;
    },
    verify: (context) => {
      const [first] = given(context);
      if (first === undefined) return;
      throw notSo(
        'A-4',
        `${first.device}, which the configuration has for ${address} by now, is ${first.where}: the next owner of ${address} must not mount it too`,
        'Release the address for which it is mounted ("nlm-failover status"), or unmount it. Then run the same command again.',
      );
    },
  };
}

/**
 * that is unmounted too, in the place where it was mounted for this address. A mount of its device in any other place may be anybody's, and
 * is refused: NOT_VERIFIED. What the record lies on comes after its hand-over (`ofRecord`), as it does where it is mounted by this program still.
 */
export function unmountNoted(ip: FloatingIp, ofRecord: boolean): FailoverAction {
  const { address } = ip;
  const first = new Set(
    isManaged(ip, 'mount') ? mountOrder(ip).first.map(({ mountpoint }) => mountpoint) : [],
  );
  const toUnmount = (context: FailoverContext) =>
    notedBeside(context, ip).filter(({ note }) => first.has(note.mountpoint) === ofRecord);
  return {
    commands: [
      `# umount of what was mounted for ${address}, and is not so in the configuration any more: only where it was changed meanwhile`,
    ],
    byHand: [],
    check: (context) => toUnmount(context).length === 0,
    act: async (context) => {
      const { host } = context;
      const done: string[] = [];
      for (const { note, mount } of toUnmount(context).toReversed()) {
        if (mount.mountpoint !== note.mountpoint || !isMountOf(host, mount, note.device)) {
          throw notSo(
            'A-4',
            `${mount.source} is mounted on ${mount.mountpoint}; for ${address} ${note.device} was mounted on ${note.mountpoint}, which the configuration does not have any more: not touched`,
            'Unmount it. Then run the same command again.',
          );
        }
        const unmount = unmountFilesystem(note);
        await unmount.act(context);
        await unmount.verify(context);
        done.push(`${note.mountpoint}, which is not in the configuration any more, is unmounted`);
      }
      return done.join('; ');
    },
    verify: (context) => {
      const [left] = toUnmount(context);
      if (left !== undefined)
        throw notSo(
          'A-4',
          `${left.mount.mountpoint} is still mounted after "umount": see /proc/self/mountinfo`,
        );
    },
  };
}
