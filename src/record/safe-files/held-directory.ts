import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  type Stats,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../../errors.js';
import { unsafe } from './files.js';

/** As the kernel has it (MAXSYMLINKS, include/linux/namei.h). */
const mostLinks = 40;

/** open(2): a descriptor that only names the directory, so that one which may be passed through, and not read, can be held too. */
const asPlace =
  0o10000000 /* O_PATH, uapi/asm-generic/fcntl.h */ | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * A directory that was looked at and is used through a descriptor from then on: whatever becomes of the names that lead to it,
 * the files that are opened below `way` are those of the directory that was looked at. It keeps its file system busy until
 * it is closed.
 *
 * SQLite alone makes names of it again (os_unix.c, unixFullPathname, reads every link), also for its rollback journal: they are
 * names that nobody else can turn (holdDirectory), and before and after each use they are asked whether they lead here still.
 */
export class HeldDirectory {
  /** As it was named; for people, and for links. */
  readonly path: string;
  /** A path to the directory itself, through the descriptor; for the commands that this process starts as well. */
  readonly way: string;
  readonly #fd: number;
  #identity: { readonly dev: bigint; readonly ino: bigint } | undefined;

  constructor(directory: string, fd: number) {
    this.path = directory;
    this.#fd = fd;
    // Not process.pid: in a namespace of processes /proc may be that of another one.
    this.way = `/proc/${readlinkSync('/proc/self')}/fd/${fd}`;
  }

  /** A path to what has this name in it. */
  at(name: string): string {
    return `${this.way}/${name}`;
  }

  get stats(): Stats {
    return fstatSync(this.#fd);
  }

  chmod(mode: number): void {
    chmodSync(this.way, mode);
  }

  /** Whether its path leads to it still. */
  get isInPlace(): boolean {
    // What the descriptor leads to is always the same one.
    this.#identity ??= fstatSync(this.#fd, { bigint: true });
    const { dev, ino } = this.#identity;
    const now = statSync(this.path, { bigint: true, throwIfNoEntry: false });
    return now?.ino === ino && now.dev === dev;
  }

  /**
   * The directory of that name in it; undefined where there is none. Throws RECORD_UNSAFE for a link, and for anything else
   * that is no directory.
   */
  enter(name: string): HeldDirectory | undefined {
    const inside = path.join(this.path, name);
    try {
      return new HeldDirectory(inside, openSync(this.at(name), asPlace));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      if (errnoOf(error) === 'ENOTDIR')
        throw unsafe(inside, 'is not a directory, or only a symbolic link to one');
      throw error;
    }
  }

  /** Throws RECORD_UNSAFE where others than root, and this process's user, could rename what is in it. */
  assertOurs(toward = this.path): void {
    const { uid, mode } = this.stats;
    const name = toward === this.path ? toward : `${this.path}, on the way to ${toward},`;
    if (!isOurs(uid)) throw unsafe(name, `belongs to uid ${uid}`);
    if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0)
      throw unsafe(name, 'is writable by others, and not sticky');
  }

  /** Another name that leads to the same directory; to be used instead of this one. */
  named(directory: string): HeldDirectory {
    return new HeldDirectory(directory, this.#fd);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/**
 * Holds a directory that only root, and this process's user, can put another one in the place of: each directory on the way,
 * from the root of the file tree down to it, belongs to one of them, and nobody else can write there, or (as in /tmp) rename what
 * is not theirs; so does each symbolic link. Undefined where it is not there yet. Throws RECORD_UNSAFE.
 */
export function holdDirectory(directory: string): HeldDirectory | undefined {
  let rest = namesOf(path.resolve(directory));
  let at = holdPlace('/', '/', directory);
  let links = 0;
  try {
    for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
      const there = path.join(at.path, name);
      const found = lstatSync(at.at(name), { throwIfNoEntry: false });
      if (found === undefined) {
        at.close();
        return undefined;
      }
      let next: HeldDirectory;
      if (found.isSymbolicLink()) {
        links += 1;
        if (links > mostLinks) throw unsafe(there, 'is one of too many symbolic links');
        if (!isOurs(found.uid)) throw unsafe(there, `is a symbolic link that belongs to uid ${found.uid}`);
        const target = readlinkSync(at.at(name));
        rest = [...namesOf(target), ...rest];
        if (!target.startsWith('/')) continue;
        next = holdPlace('/', '/', directory);
      } else {
        next = holdPlace(there, at.at(name), directory);
      }
      at.close();
      at = next;
    }
    return at.named(directory);
  } catch (error) {
    at.close();
    throw error;
  }
}

function holdPlace(place: string, way: string, toward: string): HeldDirectory {
  const held = new HeldDirectory(place, openSync(way, asPlace));
  try {
    held.assertOurs(toward);
    return held;
  } catch (error) {
    held.close();
    throw error;
  }
}

function namesOf(directory: string): string[] {
  return directory.split('/').filter((name) => name !== '' && name !== '.');
}

function isOurs(uid: number): boolean {
  return uid === 0 || uid === process.getuid?.();
}
