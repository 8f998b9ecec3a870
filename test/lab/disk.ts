import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { machinePath } from './requirements.js';

/** A disk image of the machine, and the device as which guests see it. */
export interface Disk {
  readonly image: string;
  readonly device: string;
  readonly uuid: string;
  readonly label: string;
}

export type FileSystemType = 'ext4' | 'xfs' | 'btrfs';

interface Made {
  readonly image: string;
  readonly label: string;
  readonly uuid: string;
  /** Multiple mount protection, with the shortest interval. */
  readonly protect: boolean;
}

interface MadeBy {
  /** The least it takes; the image is sparse. */
  readonly megabytes: number;
  /** With the characters that its labels may have. */
  readonly label: string;
  argv(made: Made): readonly [string, ...string[]];
}

const makers: Readonly<Record<FileSystemType, MadeBy>> = {
  ext4: {
    megabytes: 0,
    label: '/vol ',
    // Lazy initialisation would have the kernel write in the background long after the mount.
    argv: ({ image, label, uuid, protect }) => [
      'mkfs.ext4',
      '-q',
      '-F',
      ...(protect ? ['-O', 'mmp'] : []),
      '-E',
      `lazy_itable_init=0,lazy_journal_init=0${protect ? ',mmp_update_interval=1' : ''}`,
      '-L',
      label,
      '-U',
      uuid,
      image,
    ],
  },
  // mkfs.xfs 6.1: "Filesystem must be larger than 300MB."
  xfs: {
    megabytes: 320,
    label: '/vol',
    argv: ({ image, label, uuid }) => ['mkfs.xfs', '-q', '-f', '-L', label, '-m', `uuid=${uuid}`, image],
  },
  btrfs: {
    megabytes: 128,
    label: 'vol ',
    argv: ({ image, label, uuid }) => ['mkfs.btrfs', '-q', '-f', '-L', label, '-U', uuid, image],
  },
};

/**
 * Makes a sparse file with a fresh file system in it.
 * @param image path of the file
 * @param index the disk's place on the guests' ubd bus, from 0
 * @param megabytes its size, or the least that the type takes
 */
export async function createDisk(
  image: string,
  index: number,
  megabytes: number,
  type: FileSystemType = 'ext4',
  protect = false,
): Promise<Disk> {
  const maker = makers[type];
  const file = await open(image, 'wx');
  await file.truncate(Math.max(megabytes, maker.megabytes) * 1024 * 1024);
  await file.close();
  const letter = String.fromCodePoint(97 + index);
  const label = `${maker.label}${letter}`;
  const uuid = randomUUID();
  const [program, ...options] = maker.argv({ image, label, uuid, protect });
  await promisify(execFile)(program, options, { env: { PATH: machinePath } });
  return { image, device: `/dev/ubd${letter}`, label, uuid };
}
