import type { FloatingIp, Volume } from '../../config/config.js';
import { recordVolume } from '../../config/floating-ip.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Action } from '../../host/action.js';
import { mountedAt } from '../../host/reading/device-users.js';
import { isMountOf, mountAt } from '../../host/reading/mounts.js';
import { superblockState } from '../../host/reading/superblock.js';
import { isTimeout } from '../../host/running/deadline.js';
import type { FailoverContext } from '../context.js';

/**
 * B-1: a file system that another node may still have mounted is not mounted a second time, which
 * would destroy it. Only the caller's word (--fenced), or this node's own unreleased ownership
 * after a crash, lets a device through that was not cleanly unmounted; and one that does not say how it was, where the
 * record has not said either (`ownerIsKnown` false) that nobody else has the address.
 */
export function refuseMountedElsewhere(
  ip: FloatingIp,
  volume: Volume,
  ownerIsKnown: boolean,
): Action<FailoverContext> {
  const { address } = ip;
  const { device, mountpoint, type } = volume;
  return {
    commands: lookText(volume, ownerIsKnown),
    look: async (context) => {
      const onVolume = recordVolume(ip);
      const isKnown = onVolume === undefined || mountAt(context.host, onVolume.mountpoint) !== undefined;
      if (!ownerIsKnown || isKnown) {
        await refuse(context);
        return [];
      }
      // Until the record's volume is mounted nobody knows whether it was this node that crashed.
      try {
        await refuse(context);
        return [];
      } catch (error) {
        if (!(error instanceof FailoverError) || isTimeout(error)) throw error;
        const { message, hint, code, exitCode } = error;
        return [{ message, hint, code, exitCode, isNote: true }];
      }
    },
    check: async (context) => {
      await refuse(context);
      return true;
    },
    act: async () => undefined,
    verify: () => undefined,
  };

  async function refuse({ host, fenced, session }: FailoverContext): Promise<void> {
    const mount = mountAt(host, mountpoint);
    if (fenced || session.holds(session.previous) || (mount !== undefined && isMountOf(host, mount, device)))
      return;
    const state = await superblockState(host, device);
    if (state === 'dirty')
      throw notUnmounted(
        address,
        volume,
        mountedAt(host, device).map(({ text }) => text),
      );
    // Of ext2/3/4 a device that cannot be read cannot be mounted either, and mount(8) says why.
    if (state === 'unknown' && !ownerIsKnown && !isExt(type)) throw ownerUnknown(address, volume);
  }
}

/** What a person looks at before the same mount. */
function lookText({ device, type }: Volume, ownerIsKnown: boolean): string[] {
  if (isExt(type)) {
    return [
      `dumpe2fs -h ${device} | grep needs_recovery   # there: mounted elsewhere or crashed; go on only if the other node is dead`,
    ];
  }
  return ownerIsKnown
    ? []
    : [
        `# ${type} does not show whether another node has ${device} mounted: go on only if that node is dead (--fenced)`,
      ];
}

function isExt(type: string): boolean {
  return /^ext[234]$/.test(type);
}

/** `here`: where this node has it mounted itself. */
function notUnmounted(
  address: string,
  { device, mountpoint }: Volume,
  here: readonly string[],
): FailoverError {
  if (here.length > 0) {
    return new FailoverError(`${device} is in use on this node: ${here.join(', ')}`, {
      code: 'DEVICE_IN_USE',
      exitCode: exitCodes.stepFailed,
      operation: `B-1 mount ${device} on ${mountpoint}`,
      hint: 'Unmount it there. Then run the same command again, which sees whether another node has it.',
    });
  }
  return new FailoverError(`${device} was not unmounted cleanly: another node has it mounted, or crashed`, {
    code: 'DEVICE_IN_USE',
    exitCode: exitCodes.notOwner,
    operation: `B-1 mount ${device} on ${mountpoint}`,
    hint: `Run "nlm-failover release ${address}" on the node that has it. If that node is dead for certain, or it was this node that crashed, add --fenced.`,
  });
}

function ownerUnknown(address: string, { device, mountpoint, type }: Volume): FailoverError {
  return new FailoverError(
    `Nobody can say whether another node has ${device} mounted: the record of ${address} lies on it, and ${type} does not show that before it is mounted`,
    {
      code: 'OWNER_UNKNOWN',
      exitCode: exitCodes.notOwner,
      operation: `B-1 mount ${device} on ${mountpoint}`,
      hint: `See on every other node that it is not mounted ("findmnt ${mountpoint}"), then add --fenced. With a state volume of type ext4 nobody needs to ask.`,
    },
  );
}
