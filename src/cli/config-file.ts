import * as files from 'node:fs';
import { promisify } from 'node:util';
import { exitCodes, FailoverError } from '../errors.js';
import { wayTo, whyOthersCanWrite } from '../host/way.js';

// Not those of node:fs/promises, whose handles load half of Node.
const open = promisify(files.open);
const close = promisify(files.close);
const fstat = promisify(files.fstat);
const readFile = promisify(files.readFile);

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

/** Where the way ends it is quiet: open(2) says that. */
async function checkWay(file: string): Promise<void> {
  for await (const { place, stats } of wayTo(file)) checkOwner(file, place, stats);
}

function checkOwner(file: string, place: string, stats: files.Stats): void {
  const why = whyOthersCanWrite(stats, [0]);
  if (why !== undefined) throw unsafe(file, place, why);
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
