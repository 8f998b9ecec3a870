import type { FloatingIp, Volume } from '../../config/config.js';
import { recordVolume } from '../../config/floating-ip.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Action } from '../../host/action.js';
import { mountedAt } from '../../host/reading/device-users.js';
import { isExt, isMountOf, mountAt } from '../../host/reading/mounts.js';
import { readSuperblock } from '../../host/reading/superblock.js';
import { proverOf } from '../access/vouching.js';
import type { FailoverContext } from '../context.js';

/**
 * B-1: a file system that another node may still have mounted is not mounted a second time, which would destroy it. A device that was not
 * cleanly unmounted, and, where the record has not said either (`ownerIsKnown` false) that nobody else has the address, one that
 * does not say how it was, is let through by the caller's word (--fenced); by this node's own unreleased ownership after a crash; and by the
 * proof that the owner is down, with which the address was claimed.
 *
 * Before the volume of the record is mounted nobody knows the owner, so that nothing can be proved of him. Where its file system itself
 * refuses a second mount (ext4's multiple mount protection), it is mounted, the owner is read, and it is unmounted again unless he is proved
 * to be down. Any other one is refused: that every other node was fenced says nothing of one that came back since, and took the address over.
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
    look: async (context, { isAll = false }) => {
      const found = await doubtOf(context);
      if (found === undefined) return [];
      const { message, hint, code, exitCode } = found.doubt;
      return [{ message, hint, code, exitCode, isNote: isSettledLater(context, found, isAll) }];
    },
    check: async (context) => {
      const found = await doubtOf(context);
      if (found === undefined || (!ownerIsKnown && isSettledByMount(context, found))) return true;
      throw found.doubt;
    },
    act: async () => undefined,
    verify: () => undefined,
  };

  async function doubtOf({ host, voucher, session }: FailoverContext): Promise<Doubt | undefined> {
    const mount = mountAt(host, mountpoint);
    const isVouched = voucher === 'caller' || session.proof !== undefined || session.holds(session.previous);
    if (isVouched || (mount !== undefined && isMountOf(host, mount, device))) return undefined;
    const superblock = await readSuperblock(host, device);
    if (superblock?.state === 'dirty') {
      const here = mountedAt(host, device).map(({ text }) => text);
      return {
        doubt: notUnmounted(address, volume, here),
        isHere: here.length > 0,
        hasMmp: superblock.hasMmp,
      };
    }
    // Of ext2/3/4 a device that cannot be read cannot be mounted either, and mount(8) says why.
    return superblock === undefined && !ownerIsKnown && !isExt(type)
      ? { doubt: ownerUnknown(address, volume), isHere: false, hasMmp: false }
      : undefined;
  }

  /** Whether what is in doubt now will be known before the volume is mounted, or its mount decides. */
  function isSettledLater(context: FailoverContext, found: Doubt, isAll: boolean): boolean {
    if (!ownerIsKnown) return isSettledByMount(context, found);
    const prover = found.isHere ? undefined : proverOf(context);
    // Until the record's volume is mounted nobody knows whether it was this node that crashed.
    const onVolume = recordVolume(ip);
    if (onVolume !== undefined && mountAt(context.host, onVolume.mountpoint) === undefined) return true;
    return prover !== undefined && (isAll || context.session.suspect !== undefined);
  }

  /** Whether its mount decides, and the owner can be proved to be down then. */
  function isSettledByMount(context: FailoverContext, { isHere, hasMmp }: Doubt): boolean {
    return !isHere && proverOf(context) !== undefined && isRefusedTwice(hasMmp);
  }

  /** Whether mount(2) itself refuses it while another node has it: as long as it is mounted to be written to (ext4_multi_mount_protect). */
  function isRefusedTwice(hasMmp: boolean): boolean {
    return hasMmp && type === 'ext4' && !volume.options.split(',').includes('ro');
  }
}

/** Why a volume is not to be mounted, as far as its device shows. */
interface Doubt {
  readonly doubt: FailoverError;
  /** Whether it is this node that has it mounted, elsewhere. */
  readonly isHere: boolean;
  /** Whether its file system has multiple mount protection. */
  readonly hasMmp: boolean;
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
