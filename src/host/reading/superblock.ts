import type { Host } from '../host.js';
import { readHead } from './storage.js';

/**
 * Whether an ext2/3/4 file system looks mounted somewhere, or was never cleanly unmounted:
 * 'clean', 'dirty', or 'unknown' for other types and unreadable devices.
 *
 * While it is mounted read-write, ext3 and ext4 keep INCOMPAT_RECOVER set in the superblock, ext2
 * clears VALID_FS in s_state (Linux Documentation/filesystems/ext4/super.rst: superblock at byte
 * 1024, s_magic at 0x38, s_state at 0x3A, s_feature_incompat at 0x60). To mount such a device a
 * second time destroys it, so B-1 asks here first. Read past every cache: see readHead.
 */
export async function superblockState(host: Host, device: string): Promise<'clean' | 'dirty' | 'unknown'> {
  const superblock = (await readHead(host, device))?.subarray(1024, 2048);
  if (superblock?.readUInt16LE(0x38) !== 0xef53) return 'unknown';
  const hasJournal = (superblock.readUInt32LE(0x5c) & 0x4) !== 0;
  const needsRecovery = (superblock.readUInt32LE(0x60) & 0x4) !== 0;
  const valid = (superblock.readUInt16LE(0x3a) & 0x1) !== 0;
  return (hasJournal ? !needsRecovery : valid) ? 'clean' : 'dirty';
}
