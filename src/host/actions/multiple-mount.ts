import { exitCodes, FailoverError } from '../../errors.js';
import { isMissing } from '../running/command.js';
import type { Host } from '../host.js';
import { waitUntil } from '../running/wait.js';

/**
 * After a mount that was refused: whether it was ext4's multiple mount protection (mke2fs -O mmp). The kernel's words for that differ
 * ("already mounted or mount point busy", "wrong fs type"), so the device is asked whether another node still counts up in the block
 * that has its name (fs/ext4/mmp.c, kmmpd; e2mmpstatus(8) reads it past every cache). Throws DEVICE_IN_USE (exit code 4) where one does.
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
    const before = await readBlock(host, device);
    if (before.sequence === undefined) return;
    const isActive = await waitUntil(
      host,
      `the multiple mount protection of ${device}`,
      async () => (await readBlock(host, device)).sequence !== before.sequence,
      { seconds: before.interval + 1, intervalMs: 250 },
    );
    if (isActive) throw active(device, mountpoint, before.node);
  } catch (error) {
    if (isMissing(error)) return; // no e2fsprogs here: what mount(8) said has to do
    throw error;
  }
}

/** As `e2mmpstatus -i` shows it: seconds within which who has the file system mounted counts up; no sequence: no such block. */
async function readBlock(host: Host, device: string) {
  const { stdout } = await host.run(['e2mmpstatus', '-i', device]);
  const field = (name: string) => new RegExp(`mmp_${name}: *(\\S+)`).exec(stdout)?.[1];
  return {
    sequence: field('sequence'),
    node: field('node_name'),
    interval: Number(field('check_interval') ?? 5),
  };
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
