import type { Host } from '../host.js';
import { readHead } from './storage.js';

/** What the superblock of an ext2/3/4 file system says. */
export interface Superblock {
  /** `dirty`: it looks mounted somewhere, or was never cleanly unmounted. */
  readonly state: 'clean' | 'dirty';
  readonly bytes: number;
  /** Whether it has multiple mount protection (mke2fs -O mmp). */
  readonly hasMmp: boolean;
}

/**
 * Undefined for other types and unreadable devices. Read past every cache: see readHead.
 *
 * While it is mounted read-write, ext3 and ext4 keep INCOMPAT_RECOVER set in the superblock, ext2
 * clears VALID_FS in s_state (Linux Documentation/filesystems/ext4/super.rst: superblock at byte
 * 1024, s_blocks_count_lo at 0x4, s_log_block_size at 0x18, s_magic at 0x38, s_state at 0x3A, s_feature_incompat at 0x60 with
 * INCOMPAT_RECOVER 0x4, INCOMPAT_64BIT 0x80 and INCOMPAT_MMP 0x100, s_blocks_count_hi at 0x150).
 */
export async function readSuperblock(host: Host, device: string): Promise<Superblock | undefined> {
  const superblock = (await readHead(host, device))?.subarray(1024, 2048);
  if (superblock?.readUInt16LE(0x38) !== 0xef53) return undefined;
  const incompat = superblock.readUInt32LE(0x60);
  const hasJournal = (superblock.readUInt32LE(0x5c) & 0x4) !== 0;
  const needsRecovery = (incompat & 0x4) !== 0;
  const valid = (superblock.readUInt16LE(0x3a) & 0x1) !== 0;
  const high = (incompat & 0x80) === 0 ? 0 : superblock.readUInt32LE(0x150);
  const blocks = high * 2 ** 32 + superblock.readUInt32LE(0x4);
  return {
    state: (hasJournal ? !needsRecovery : valid) ? 'clean' : 'dirty',
    bytes: blocks * 2 ** (10 + superblock.readUInt32LE(0x18)),
    hasMmp: (incompat & 0x100) !== 0,
  };
}

/** To mount such a device a second time destroys it, so B-1 asks here first: 'unknown' where there is no superblock to be read. */
export async function superblockState(host: Host, device: string): Promise<'clean' | 'dirty' | 'unknown'> {
  return (await readSuperblock(host, device))?.state ?? 'unknown';
}
