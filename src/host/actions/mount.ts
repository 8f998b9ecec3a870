import { mkdirSync, realpathSync, statSync } from 'node:fs';
import type { FailoverError } from '../../errors.js';
import type { StepName } from '../../step-names.js';
import { isAtOrBelow } from '../../paths.js';
import { type Action, commandText, failed, type HostContext, notSo } from '../action.js';
import { lookAtMount } from './look-mount.js';
import { currentDeadline } from '../running/deadline.js';
import type { Argv, Host } from '../host.js';
import { isFree } from '../devices/devices.js';
import { deviceUsers, mountersOf } from '../reading/device-users.js';
import { holders } from '../reading/holders.js';
import {
  isMountOf,
  isReadOnlyUnasked,
  type Mount,
  mountAt,
  mountOfDevice,
  mounts,
} from '../reading/mounts.js';
import { waitUntil } from '../running/wait.js';
import { refuseActiveElsewhere } from './multiple-mount.js';

export interface MountableFilesystem {
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  readonly options: string;
}

/**
 * B-1: the file system is mounted, and it is that device, not another one, that is. `volumes`: the mount points of the address, for the
 * look.
 */
export function mountFilesystem(
  filesystem: MountableFilesystem,
  volumes: readonly string[] = [],
): Action<HostContext> {
  const { device, mountpoint } = filesystem;
  const command = mountCommand(filesystem);
  return {
    commands: [`mkdir -p ${commandText([mountpoint])}   # only where there is none`, commandText(command)],
    byHand: [`mkdir -p ${commandText([mountpoint])}`, commandText(command)],
    programs: ['mount'],
    look: async ({ host }) =>
      mountedToWrite(host, filesystem) === undefined ? lookAtMount(host, filesystem, volumes) : [],
    check: ({ host }) => mountedToWrite(host, filesystem) !== undefined,
    act: async ({ host }) => {
      makeMountpoint(host, mountpoint);
      const result = await host.run(command);
      if (result.exitCode !== 0) {
        await refuseActiveElsewhere(host, filesystem);
        throw failed(command, result, `See "dmesg" and "blkid ${device}".`);
      }
      return undefined;
    },
    verify: ({ host }) => {
      if (mountedToWrite(host, filesystem) === undefined) {
        throw notSo(
          'B-1',
          `${device} is not mounted on ${mountpoint} after "mount": see /proc/self/mountinfo`,
        );
      }
    },
    undo: async (context) => {
      const back = unmountFilesystem(filesystem);
      if (await back.check(context)) return;
      await back.act(context);
      await back.verify(context);
    },
  };
}

function mountCommand({ device, mountpoint, type, options }: MountableFilesystem): Argv {
  return ['mount', '-t', type, ...(options === '' ? [] : ['-o', options]), device, mountpoint];
}

/** Never by way of a link: one that lies on a volume is whoever's who can write there. */
function makeMountpoint(host: Host, mountpoint: string): void {
  const place = host.path(mountpoint);
  mkdirIfMissing(place);
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw notSo('B-1', `The mount point ${mountpoint} is not a directory`, 'Move away what is there.');
  if (host.kind === 'real' && realpathSync(place) !== place) {
    throw notSo(
      'B-1',
      `The mount point ${mountpoint} leads to ${realpathSync(place)} by a symbolic link on a volume`,
      'Make it a directory.',
    );
  }
}

function mkdirIfMissing(place: string): void {
  if (statSync(place, { throwIfNoEntry: false }) === undefined)
    mkdirSync(place, { recursive: true, mode: 0o755 });
}

/**
 * A-4: the file system is unmounted, and nobody on this node has its device any more: from here on another node mounts it, and two at once
 * destroy it. Where somebody has, it is mounted again, as if umount had found it busy. nfsd lets go of it a moment after
 * exportfs -f, hence a bounded retry.
 */
export function unmountFilesystem(filesystem: MountableFilesystem): Action<HostContext> {
  const { device, mountpoint } = filesystem;
  const command: Argv = ['umount', mountpoint];
  const mountAgain = mountCommand(filesystem);
  return {
    commands: [
      commandText(command),
      `${commandText(mountAgain)}   # only where somebody on this node still has ${device}`,
    ],
    byHand: [`${commandText(command)}   # busy: exportfs -f, and this again, two seconds later`],
    check: ({ host }) =>
      mountedRight(host, filesystem, 'A-4') === undefined &&
      mountersOf(host, filesystem).length === 0 &&
      isFree(host, device),
    act: async ({ host }) => {
      await expectNoMounter(host, filesystem);
      const wasMounted = mountedRight(host, filesystem, 'A-4') !== undefined;
      if (wasMounted) await unmount(host, filesystem, command);
      const { busy: seconds } = currentDeadline().limit;
      const isLetGo = () => isFree(host, device);
      if (await waitUntil(host, `whoever has ${device}`, isLetGo, { seconds, intervalMs: 100 }))
        return undefined;
      const who = await deviceUsers(host, device);
      throw stillInUse(filesystem, who, wasMounted && (await host.run(mountAgain)).exitCode === 0);
    },
    verify: ({ host }) => {
      if (mountedRight(host, filesystem, 'A-4') !== undefined) {
        throw notSo('A-4', `${mountpoint} is still mounted after "umount": see /proc/self/mountinfo`);
      }
    },
  };
}

/** One that a command left which was killed: what it does is seen when it has ended. */
async function expectNoMounter(host: Host, filesystem: MountableFilesystem): Promise<void> {
  const { device, mountpoint } = filesystem;
  const { busy: seconds } = currentDeadline().limit;
  const isDone = () => mountersOf(host, filesystem).length === 0;
  if (await waitUntil(host, `what mounts ${device}`, isDone, { seconds, intervalMs: 100 })) return;
  throw notSo(
    'A-4',
    `${mountersOf(host, filesystem).join(', ')} still works on ${device} or ${mountpoint}, which an ended command may have left: waited for ${seconds} s ([timeouts].busy)`,
    'Wait for it to end, or end it. Then run the same command again.',
  );
}

/** Until nothing of it is mounted there: it may be so twice. */
async function unmount(
  host: Host,
  { device, mountpoint }: MountableFilesystem,
  command: Argv,
): Promise<void> {
  const { busy: seconds } = currentDeadline().limit;
  let said = '';
  const isGone = async () => {
    // One after another without a pause: where one is unmounted and another one left, nothing is busy.
    for (const _ of mounts(host).filter((one) => one.mountpoint === mountpoint)) {
      const result = await host.run(command);
      said = result.stderr.trim();
      if (result.exitCode !== 0) return false;
      if (mountOfDevice(host, { device, mountpoint }) === undefined) return true;
    }
    return mountOfDevice(host, { device, mountpoint }) === undefined;
  };
  const what = `umount ${mountpoint}, which is busy`;
  if (await waitUntil(host, what, isGone, { seconds, intervalMs: 100 })) return;
  const who = [
    ...mounts(host)
      .filter((one) => one.mountpoint !== mountpoint && isAtOrBelow(one.mountpoint, mountpoint))
      .map((one) => `the mount on ${one.mountpoint}`),
    ...holders(host, mountpoint),
  ];
  throw notSo(
    'A-4',
    `umount ${mountpoint}: ${said}${who.length > 0 ? `; held by ${who.join(', ')}` : ''}; tried for ${seconds} s ([timeouts].busy)`,
    who.length > 0
      ? 'End what holds it. Then run the same command again.'
      : 'A lock (/proc/locks), a swap file or another mount namespace may hold it. End that, then run the same command again.',
  );
}

function stillInUse(
  { device, mountpoint }: MountableFilesystem,
  who: readonly string[],
  isMountedAgain: boolean,
): FailoverError {
  const unknown = 'by whom is not to be seen: perhaps a mount namespace without a process, or nfsd';
  const now = isMountedAgain ? `${mountpoint} is mounted again` : `${mountpoint} is not mounted`;
  return notSo(
    'A-4',
    `${device} is still in use on this node, ${who.length > 0 ? who.join(', ') : unknown}: another node must not mount it; ${now}`,
    'End that use: umount it there, or end the process. Then run the same command again.',
  );
}

/** Something else is mounted there, which is none of ours to touch. Throws FailoverError NOT_VERIFIED. */
export function refuseForeignMount(
  host: Host,
  filesystem: Pick<MountableFilesystem, 'device' | 'mountpoint'>,
  step: StepName,
): void {
  mountedRight(host, filesystem, step);
}

/** B-1: the mount at the mount point; throws where it is of another device, or read-only and the configuration does not say so. */
function mountedToWrite(host: Host, filesystem: MountableFilesystem): Mount | undefined {
  const { device, mountpoint, options } = filesystem;
  const mount = mountedRight(host, filesystem, 'B-1');
  if (mount !== undefined && isReadOnlyUnasked(mount, options)) {
    throw notSo(
      'B-1',
      `${device} is mounted read-only on ${mountpoint}, and the configuration does not say "ro"`,
      `See "dmesg": an error may have made it so. Then "mount -o remount,rw ${mountpoint}", or unmount it and run the same command again.`,
    );
  }
  return mount;
}

/** The mount at the mount point; throws where it is of another device, which is then none of ours to touch. */
function mountedRight(
  host: Host,
  { device, mountpoint }: Pick<MountableFilesystem, 'device' | 'mountpoint'>,
  step: StepName,
): Mount | undefined {
  const mount = mountAt(host, mountpoint);
  if (mount !== undefined && !isMountOf(host, mount, device)) {
    throw notSo(
      step,
      `${mountpoint} has ${mount.root === '/' ? '' : `${mount.root} of `}${mount.source} mounted, and the configuration says ${device}: not touched`,
      'Unmount what is there, or correct "device" in the configuration.',
    );
  }
  return mount;
}
