// What the tests with real kernels and real daemons need from this machine.
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What this machine has: CPUs, memory in GB, and how many labs it bears at once. */
export const machine = {
  cpus: availableParallelism(),
  gigabytes: Math.round(totalmem() / 2 ** 30),
  labs: labsAtOnce(),
};

/**
 * Two labs for each CPU, and one more: half of a failover is waiting, for a grace, a client, a disk. As far as memory goes, and /dev/shm, where
 * that of the guests is: three of them in a lab, of 384 MB, and what the lab's own processes take.
 */
function labsAtOnce() {
  const lab = 1.5 * 2 ** 30;
  const available = Number(/^MemAvailable: +(\d+) kB$/m.exec(readText('/proc/meminfo'))?.[1] ?? 0) * 1024;
  const { bavail, bsize } = existsSync('/dev/shm') ? statfsSync('/dev/shm') : { bavail: 0, bsize: 0 };
  return Math.max(
    1,
    Math.min(2 * availableParallelism() + 1, Math.floor(Math.min(available, bavail * bsize) / lab)),
  );
}

/**
 * The environment of tests that write in memory, where /dev/shm has room and nobody has named another place: they sync, make and remove
 * small files all the time, and wait for the disk then. No test cuts the power of this machine.
 */
export function inMemory() {
  const room = 4 * 2 ** 30;
  if (process.env.TMPDIR !== undefined || !existsSync('/dev/shm')) return {};
  const { type, bavail, bsize } = statfsSync('/dev/shm');
  const isTmpfs = type === 0x01021994; // include/uapi/linux/magic.h, TMPFS_MAGIC
  return isTmpfs && Math.min(bavail * bsize, freemem()) >= room ? { TMPDIR: '/dev/shm' } : {};
}

function readText(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

const wirePrograms = ['ip', 'unshare', 'rpcbind', 'rpc.statd'];
const labRequirements = 'build/test/lab/requirements.js';

/** What is missing for test/lab, as one sentence; undefined if nothing is. The lab itself knows. */
export async function missingForLab() {
  if (!existsSync(labRequirements)) return `${labRequirements} is missing.`;
  const { labUnavailable } = await import(pathToFileURL(resolve(labRequirements)).href);
  return labUnavailable();
}

/** What is missing for test/wire, as one sentence; undefined if nothing is. */
export function missingForWire() {
  const missing = wirePrograms.filter((name) => !isInstalled(name));
  if (process.getuid?.() !== 0) missing.unshift('root');
  return missing.length === 0 ? undefined : `These tests need ${missing.join(', ')}.`;
}

function isInstalled(program) {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return directories.some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
