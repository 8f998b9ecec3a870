import { statSync } from 'node:fs';
import type { StepName } from '../../step-names.js';
import { type Action, commandText, type HostContext, notSo, runOrFail } from '../action.js';
import { currentDeadline } from '../running/deadline.js';
import type { Argv, Host } from '../host.js';
import { holders } from '../reading/holders.js';
import { isMountOf, type Mount, mountAt } from '../reading/mounts.js';
import { waitUntil } from '../running/wait.js';

export interface MountableFilesystem {
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  readonly options: string;
}

/** B-1: the file system is mounted, and it is that device, not another one, that is. */
export function mountFilesystem(filesystem: MountableFilesystem): Action<HostContext> {
  const { device, mountpoint, type, options } = filesystem;
  const command: Argv = ['mount', '-t', type, ...(options === '' ? [] : ['-o', options]), device, mountpoint];
  return {
    commands: [commandText(command)],
    check: ({ host }) => mountedRight(host, filesystem, 'B-1') !== undefined,
    act: async ({ host }) => {
      if (statSync(host.path(mountpoint), { throwIfNoEntry: false })?.isDirectory() !== true) {
        throw notSo(
          'B-1',
          `The mount point ${mountpoint} is not a directory`,
          `Make it: mkdir -p ${mountpoint}`,
        );
      }
      await runOrFail(host, command, `See "dmesg" and "blkid ${device}".`);
      return undefined;
    },
    verify: ({ host }) => {
      if (mountedRight(host, filesystem, 'B-1') === undefined) {
        throw notSo(
          'B-1',
          `${device} is not mounted on ${mountpoint} after "mount": see /proc/self/mountinfo`,
        );
      }
    },
  };
}

/** A-4: the file system is unmounted. nfsd lets go of it a moment after exportfs -f, hence a bounded retry. */
export function unmountFilesystem(filesystem: MountableFilesystem): Action<HostContext> {
  const { mountpoint } = filesystem;
  const command: Argv = ['umount', mountpoint];
  return {
    commands: [commandText(command)],
    check: ({ host }) => mountedRight(host, filesystem, 'A-4') === undefined,
    act: async ({ host }) => {
      const { busy } = currentDeadline().limit;
      let said = '';
      const gone = await waitUntil(
        host,
        `umount ${mountpoint}, which is busy`,
        async () => {
          const result = await host.run(command);
          said = result.stderr.trim();
          return result.exitCode === 0;
        },
        { seconds: busy, intervalMs: 100 },
      );
      if (!gone) {
        const who = holders(host, mountpoint);
        throw notSo(
          'A-4',
          `umount ${mountpoint}: ${said}${who.length > 0 ? `; held by ${who.join(', ')}` : ''}; tried for ${busy} s ([timeouts].busy)`,
          who.length > 0
            ? 'End what holds it. Then run the same command again.'
            : 'A lock (/proc/locks), a swap file, a mount below it or another mount namespace may hold it. End that, then run the same command again.',
        );
      }
      return undefined;
    },
    verify: ({ host }) => {
      if (mountedRight(host, filesystem, 'A-4') !== undefined) {
        throw notSo('A-4', `${mountpoint} is still mounted after "umount": see /proc/self/mountinfo`);
      }
    },
  };
}

/** The mount at the mount point; throws where it is of another device, which is then none of ours to touch. */
function mountedRight(
  host: Host,
  { device, mountpoint }: MountableFilesystem,
  step: StepName,
): Mount | undefined {
  const mount = mountAt(host, mountpoint);
  if (mount !== undefined && !isMountOf(host, mount, device)) {
    throw notSo(
      step,
      `${mountpoint} has ${mount.source} mounted, and the configuration says ${device}: not touched`,
      'Unmount what is there, or correct "device" in the configuration.',
    );
  }
  return mount;
}
