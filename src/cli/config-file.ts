import * as files from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { exitCodes, FailoverError } from '../errors.js';

// Not those of node:fs/promises, whose handles load half of Node.
const open = promisify(files.open);
const close = promisify(files.close);
const fstat = promisify(files.fstat);
const lstat = promisify(files.lstat);
const readFile = promisify(files.readFile);
const readlink = promisify(files.readlink);

/** As the kernel has it (MAXSYMLINKS, include/linux/namei.h). */
const mostLinks = 40;

/**
 * What is in a configuration file, which must be a regular one: a fifo would be waited for. Of `onlyRoots`, where the caller is root:
 * what the file names is run as root, so nobody else may be able to write it, or to put another one in its place: file, symbolic
 * links and every directory on the way belong to root and are writable by nobody else, but for a sticky directory, as /tmp.
 *
 * @throws FailoverError CONFIG_UNSAFE or CONFIG_UNREADABLE, exit code 3; what the kernel refuses as it is.
 */
export async function readConfigFile(file: string, onlyRoots: boolean): Promise<Uint8Array> {
  if (onlyRoots) await checkWay(file);
  // A fifo is opened at once, without anybody at its other end.
  const fd = await open(file, files.constants.O_RDONLY | files.constants.O_NONBLOCK);
  try {
    const stats = await fstat(fd);
    if (!stats.isFile()) throw notRegular(file);
    if (onlyRoots) checkOwner(file, file, stats);
    return await readFile(fd);
  } finally {
    await close(fd);
  }
}

/** Every directory and symbolic link from the root of the file tree to the file. Where the way ends it is quiet: open(2) says that. */
async function checkWay(file: string): Promise<void> {
  let rest = namesOf(path.resolve(file));
  let at = '/';
  let links = 0;
  checkOwner(file, at, await lstat(at));
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const there = path.join(at, name);
    const found = await lstat(there);
    if (found.isSymbolicLink()) {
      if (found.uid !== 0) throw unsafe(file, there, `is a symbolic link of uid ${found.uid}`);
      links += 1;
      if (links > mostLinks) return;
      const target = await readlink(there);
      rest = [...namesOf(target), ...rest];
      if (target.startsWith('/')) at = '/';
    } else {
      checkOwner(file, there, found);
      at = there;
    }
  }
}

function namesOf(place: string): string[] {
  return place.split('/').filter((name) => name !== '' && name !== '.');
}

function checkOwner(file: string, place: string, stats: files.Stats): void {
  if (stats.uid !== 0) throw unsafe(file, place, `belongs to uid ${stats.uid}`);
  const isSticky = stats.isDirectory() && (stats.mode & 0o1000) !== 0;
  if ((stats.mode & 0o022) !== 0 && !isSticky)
    throw unsafe(file, place, 'can be written by others than root');
}

function unsafe(file: string, place: string, why: string): FailoverError {
  const where = place === file ? '' : `, on the way to ${file},`;
  return new FailoverError(`${place}${where} ${why}: what the configuration names would be run as root`, {
    code: 'CONFIG_UNSAFE',
    exitCode: exitCodes.configuration,
    operation: `reading ${file}`,
    hint: `See that nobody has changed it. Then: chown -h root ${place}; chmod go-w ${place}`,
  });
}

function notRegular(file: string): FailoverError {
  return new FailoverError(`${file}: this is not a regular file`, {
    code: 'CONFIG_UNREADABLE',
    exitCode: exitCodes.configuration,
    operation: `reading ${file}`,
    hint: 'Name a readable file with --config or NLM_FAILOVER_CONFIG.',
  });
}
