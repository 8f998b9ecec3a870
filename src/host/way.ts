import { lstat, readlink, type Stats } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { errnoOf, messageOf } from '../errors.js';

// Not those of node:fs/promises, whose handles load half of Node.
const lookAt = promisify(lstat);
const targetOf = promisify(readlink);

/** As the kernel has it (MAXSYMLINKS, include/linux/namei.h). */
const mostLinks = 40;

/** A directory, symbolic link or file on the way to another one. */
export interface Place {
  readonly place: string;
  readonly stats: Stats;
}

/**
 * Every directory and symbolic link from the root of the file tree to the file, and the file, one after another as open(2) goes. Where
 * the way ends it throws what lstat(2) says; too many links end it early, as open(2) will say.
 */
export async function* wayTo(file: string): AsyncGenerator<Place> {
  let rest = namesOf(path.resolve(file));
  let at = '/';
  let links = 0;
  yield { place: at, stats: await lookAt(at) };
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const place = path.join(at, name);
    const stats = await lookAt(place);
    yield { place, stats };
    if (stats.isSymbolicLink()) {
      links += 1;
      if (links > mostLinks) return;
      const target = await targetOf(place);
      rest = [...namesOf(target), ...rest];
      if (target.startsWith('/')) at = '/';
    } else {
      at = place;
    }
  }
}

/**
 * Why others than `owners` could put something else there, as a clause; undefined: they cannot. In a sticky directory, as /tmp, nobody
 * renames what is not his; the mode of a link says nothing.
 */
export function whyOthersCanWrite(stats: Stats, owners: readonly number[]): string | undefined {
  if (stats.isSymbolicLink())
    return owners.includes(stats.uid) ? undefined : `is a symbolic link of uid ${stats.uid}`;
  if (!owners.includes(stats.uid)) return `belongs to uid ${stats.uid}`;
  const isSticky = stats.isDirectory() && (stats.mode & 0o1000) !== 0;
  return (stats.mode & 0o022) !== 0 && !isSticky ? 'can be written by others than root' : undefined;
}

/**
 * The first place on the way to a file, itself included, at which others than `owners` could put something else, as a sentence without its
 * end; undefined: there is none. The way may end before the file: that is to be made.
 */
export async function whyUnsafe(file: string, owners: readonly number[]): Promise<string | undefined> {
  try {
    for await (const { place, stats } of wayTo(file)) {
      const why = whyOthersCanWrite(stats, owners);
      if (why !== undefined) return `${place}${place === file ? '' : `, on the way to ${file},`} ${why}`;
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error;
  }
  return undefined;
}

/** Why root does not run a program, as a clause; undefined: it does. Who can write it, or exchange it on the way, would be root. */
export async function whyUnfit(file: string): Promise<string | undefined> {
  const owners = [0, process.geteuid?.() ?? 0];
  let isProgram = false;
  try {
    for await (const { place, stats } of wayTo(file)) {
      const why = whyOthersCanWrite(stats, owners);
      if (why !== undefined) return `${place} ${why}`;
      isProgram = stats.isFile() && (stats.mode & 0o111) !== 0;
    }
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? 'it is not there' : messageOf(error);
  }
  return isProgram ? undefined : 'it is no executable file';
}

function namesOf(place: string): string[] {
  return place.split('/').filter((name) => name !== '' && name !== '.');
}
