import { readdirSync, readlinkSync } from 'node:fs';
import { exitCodes, FailoverError } from '../../errors.js';
import { failed, saidOf } from '../../host/action.js';
import type { Argv, Host } from '../../host/host.js';
import { type Device, deviceAt, isFree, isSameDevice } from '../../host/devices/devices.js';
import { deviceUsers } from '../../host/reading/device-users.js';

/** A state volume of 64 MB is plenty; what is as large as this is another device, or somebody should look. */
export const largestStateVolume = 1024 ** 3;
/** A smaller one has no place for a record, a journal of ext4 and the reserve. */
const leastBytes = 8 * 1024 ** 2;

/**
 * Proves that nothing is on a block device, and nobody has it: no mount, no holder, no partition, no signature that libblkid or wipefs
 * knows, and not one byte that is not zero. Throws FailoverError NOT_READY (exit code 3) with what it found; `byHand`: the command that
 * the administrator may type all the same.
 */
export async function expectEmpty(host: Host, path: string, byHand: string): Promise<void> {
  const refuse = (what: string): never => {
    throw new FailoverError(`${path} ${what}: no file system was made`, {
      code: 'NOT_READY',
      exitCode: exitCodes.configuration,
      operation: `looking at ${path}`,
      hint: `setup writes to an empty device only. Name another one; or where nothing on it is needed, clear it ("wipefs -a ${path}", "blkdiscard -z ${path}"), or run by hand: ${byHand}`,
    });
  };
  const device = deviceAt(host, path);
  if (device?.kind !== 'block') return refuse('is no block device');
  const users = await deviceUsers(host, path);
  if (users.length > 0) refuse(`is in use: ${users.join(', ')}`);
  const open = openIn(host, device);
  if (open.length > 0) refuse(`is open in ${open.join(', ')}`);
  if (!isFree(host, path)) refuse('is in use by this kernel (a mount, device mapper, md, swap)');
  const partitions = partitionsOf(host, device.number);
  if (partitions.length > 0) refuse(`has partitions: ${partitions.join(', ')}`);
  const bytes = Number(host.readText(`/sys/dev/block/${device.number}/size`) ?? 0) * 512;
  if (bytes === 0) refuse('has no size');
  if (bytes < leastBytes)
    refuse(`has ${Math.floor(bytes / 1024)} KB, which is too small for a state volume (64 MB are plenty)`);
  if (host.readText(`/sys/dev/block/${device.number}/ro`)?.trim() === '1') refuse('is read-only');
  if (bytes > largestStateVolume)
    refuse(`has ${Math.floor(bytes / 1024 ** 2)} MB, which is large for a state volume`);
  const signature = await signatureOf(host, path);
  if (signature !== undefined) refuse(`has something on it: ${signature}`);
  // cmp(1): 0 where all of them are the same, 1 where one differs.
  const argv: Argv = ['cmp', '-n', String(bytes), path, '/dev/zero'];
  const compared = await host.run(argv);
  if (compared.exitCode > 1) throw failed(argv, compared);
  if (compared.exitCode === 1)
    refuse(
      `is not all zero (${saidOf(compared).replace(/^.*differ: /, '')}), so that something may be on it`,
    );
}

/** What libblkid or wipefs finds, as "TYPE=xfs"; undefined: neither finds anything. */
async function signatureOf(host: Host, path: string): Promise<string | undefined> {
  const probe: Argv = ['blkid', '-c', '/dev/null', '-p', '-o', 'export', path];
  const probed = await host.run(probe, { short: true });
  // blkid(8), EXIT STATUS: 2 where nothing was found, 8 where several things were.
  if (probed.exitCode === 8) return 'signatures of several kinds (blkid -p)';
  if (probed.exitCode !== 0 && probed.exitCode !== 2) throw failed(probe, probed);
  if (probed.exitCode === 0)
    return (
      probed.stdout.match(/^(?:TYPE|PTTYPE|LABEL)=.*$/gm)?.join(', ') ?? 'a signature that blkid -p names'
    );
  const wipe: Argv = ['wipefs', '--no-act', '--parsable', path];
  const listed = await host.run(wipe, { short: true });
  if (listed.exitCode !== 0) throw failed(wipe, listed);
  const rows = listed.stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return rows.length === 0 ? undefined : rows.join('; ');
}

/** Linux block/partitions/core.c: each has a file of that name. */
function partitionsOf(host: Host, number: string): string[] {
  const directory = `/sys/dev/block/${number}`;
  return readdirSync(host.path(directory)).filter(
    (name) => host.readText(`${directory}/${name}/partition`) !== undefined,
  );
}

/** Who has the device itself open, as a database or a virtual machine that works on it without a file system: such a use claims nothing. */
function openIn(host: Host, device: Device): string[] {
  const found = new Set<string>();
  for (const pid of readdirSync(host.path('/proc')).filter((name) => /^\d+$/.test(name))) {
    for (const target of targetsOf(host.path(`/proc/${pid}/fd`)))
      if (target.startsWith('/dev/') && isSameDevice(deviceAt(host, target), device))
        found.add(`${host.readText(`/proc/${pid}/comm`)?.trim() ?? '?'} (pid ${pid})`);
  }
  return [...found];
}

function targetsOf(directory: string): string[] {
  try {
    return readdirSync(directory).flatMap((name) => targetOf(`${directory}/${name}`));
  } catch {
    return []; // the process ends just now
  }
}

function targetOf(link: string): string[] {
  try {
    return [readlinkSync(link)];
  } catch {
    return []; // closed just now
  }
}
