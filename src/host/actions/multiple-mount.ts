import { exitCodes, FailoverError } from '../../errors.js';
import { isMissing } from '../running/command.js';
import type { Host } from '../host.js';

/**
 * After a mount that was refused: whether it was ext4's multiple mount protection (mke2fs -O mmp). The kernel's words for that differ
 * ("already mounted or mount point busy", "wrong fs type"), so the device is asked: e2mmpstatus(8) waits, as the
 * kernel does (fs/ext4/mmp.c), whether another node still counts up in the block that has its name. Throws DEVICE_IN_USE (exit code 4)
 * where one does.
 */
export async function refuseActiveElsewhere(
  host: Host,
  {
    device,
    mountpoint,
    type,
  }: { readonly device: string; readonly mountpoint: string; readonly type: string },
): Promise<void> {
  if (type !== 'ext4') return;
  try {
    const status = await host.run(['e2mmpstatus', device]);
    if (status.exitCode === 0 || !/MMP: device currently active/.test(status.stderr)) return;
    const info = await host.run(['e2mmpstatus', '-i', device]);
    throw active(device, mountpoint, /mmp_node_name: *(\S+)/.exec(info.stdout)?.[1]);
  } catch (error) {
    if (isMissing(error)) return; // no e2fsprogs here: what mount(8) said has to do
    throw error;
  }
}

function active(device: string, mountpoint: string, node = 'another node'): FailoverError {
  return new FailoverError(
    `${device} is mounted on ${node}, and its file system refuses a second mount (multiple mount protection)`,
    {
      code: 'DEVICE_IN_USE',
      exitCode: exitCodes.notOwner,
      operation: `B-1 mount ${device} on ${mountpoint}`,
      hint: `${node} is alive, as far as this disk: release the address there, or cut it off from the disk (fence it). --fenced alone does not help.`,
    },
  );
}
