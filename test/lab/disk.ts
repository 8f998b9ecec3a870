import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { machinePath } from './requirements.js';

/** A disk image of the machine, and the device as which guests see it. */
export interface Disk {
  readonly image: string;
  readonly device: string;
}

/**
 * Makes a sparse file with a fresh ext4 in it.
 * @param image path of the file
 * @param index the disk's place on the guests' ubd bus, from 0
 * @param megabytes its size
 */
export async function createDisk(image: string, index: number, megabytes: number): Promise<Disk> {
  const file = await open(image, 'wx');
  await file.truncate(megabytes * 1024 * 1024);
  await file.close();
  // Lazy initialisation would have the kernel write in the background long after the mount.
  const options = ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', image];
  await promisify(execFile)('mkfs.ext4', options, { env: { PATH: machinePath } });
  return { image, device: `/dev/ubd${String.fromCodePoint(97 + index)}` };
}
