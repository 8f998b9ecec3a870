import { readdirSync, readlinkSync } from 'node:fs';
import type { Host } from '../host.js';
import {
  type Device,
  deviceAt,
  deviceNumberOf,
  devicesAbove,
  isSameDevice,
  loopsOf,
} from '../devices/devices.js';
import { isMountFrom, isMountOf, type Mount, mountAt, mounts, parseMountinfo } from './mounts.js';

/** More would not be read. */
const mostNamed = 8;
/** Arguments of one stat(1): well below what execve(2) takes. */
const filesAtOnce = 5000;

/**
 * Who on this node has a device that is not mounted where it should be, as clauses, eight at most: "mounted on /backup in the mount
 * namespace of sleep (pid 7)". Looks at every process's mounts, open files, working directory and root, at swap, and at what is made
 * of the device. Sees what root sees: not a mount namespace in which no process is.
 */
export async function deviceUsers(host: Host, path: string): Promise<string[]> {
  const device = deviceAt(host, path);
  if (device === undefined) return [];
  const loops = loopsOf(host, device);
  const numbers = [...(device.kind === 'block' ? [device.number] : []), ...loops.map(({ number }) => number)];
  const users = [
    ...loops.map((loop) => `${loop.path} is made of it`),
    ...numbers.flatMap((number) => devicesAbove(host, number).map((above) => `${above} is made of it`)),
    ...swapOn(host, device),
    ...new Set(mountsFrom(host, numbers).map(({ text }) => text)),
    ...(await openAnywhere(host, numbers)),
  ];
  return users.slice(0, mostNamed);
}

/** A mount of a device, in this mount namespace or another one of this node. */
export interface MountOfDevice {
  readonly mount: Mount;
  readonly isHere: boolean;
  /** As a clause: "mounted on /backup in the mount namespace of sleep (pid 7)". */
  readonly text: string;
}

/** Where the file system of a device, or image file, is mounted on this node; nowhere for what is neither. */
export function mountedAt(host: Host, path: string): MountOfDevice[] {
  const device = deviceAt(host, path);
  if (device === undefined) return [];
  const numbers =
    device.kind === 'block' ? [device.number] : loopsOf(host, device).map(({ number }) => number);
  return numbers.length === 0 ? [] : mountsFrom(host, numbers);
}

/**
 * The mounts of a volume's device in other places than its own, or there below something else, as clauses; nowhere for what is no path, as a
 * network file system, which may be mounted as often as one likes.
 */
export function mountedBeside(
  host: Host,
  { device, mountpoint }: { readonly device: string; readonly mountpoint: string },
): string[] {
  if (!device.startsWith('/')) return [];
  const top = mountAt(host, mountpoint);
  const isOnTop = top !== undefined && isMountOf(host, top, device);
  // By its name too: that may have gone from /dev.
  const byName = mounts(host)
    .filter((mount) => isMountOf(host, mount, device))
    .map((mount) => ({ mount, isHere: true, text: `mounted on ${mount.mountpoint}` }));
  return [
    ...new Set(
      [...byName, ...mountedAt(host, device)].flatMap(({ mount, isHere, text }) => {
        if (!isHere || mount.mountpoint !== mountpoint) return [text];
        return isOnTop ? [] : [`mounted below ${top?.source ?? ''} in that place`];
      }),
    ),
  ];
}

/** What mounts, unmounts or repairs a file system, by the name of its file as the kernel has it (proc_pid_comm(5)). */
const mounter = /^(?:u?mount(?:\..*)?|fsck(?:\..*)?|e2fsck|xfs_repair)$/;

/**
 * Processes that mount, unmount or repair a volume at this moment, as "mount (pid 7)": one whose parent was killed goes on, and what it mounts
 * appears after everybody has looked. Only root's: nobody else's name and arguments mean anything.
 */
export function mountersOf(
  host: Host,
  { device, mountpoint }: { readonly device: string; readonly mountpoint: string },
): string[] {
  const wanted = deviceAt(host, device);
  const isIt = (word: string) =>
    word === mountpoint ||
    word === device ||
    (word.startsWith('/') && wanted !== undefined && isSameDevice(deviceAt(host, word), wanted));
  return processes(host)
    .filter((pid) => mounter.test(textOf(host, `/proc/${pid}/comm`).trim()))
    .filter((pid) => /^Uid:(?:\s+0){4}\s*$/m.test(textOf(host, `/proc/${pid}/status`)))
    .filter((pid) => textOf(host, `/proc/${pid}/cmdline`).split('\0').slice(1).some(isIt))
    .map((pid) => named(host, pid));
}

/** Of each mount namespace, and each root in it, one process tells; the first of those that see a mount. */
function mountsFrom(host: Host, numbers: readonly string[]): MountOfDevice[] {
  const here = tableOf(host, 'self');
  const seen = new Set<string>();
  return ['self', ...processes(host)].flatMap((pid) => {
    const table = tableOf(host, pid);
    if (seen.has(table)) return [];
    seen.add(table);
    const where = table === here ? '' : ` in the mount namespace of ${named(host, pid)}`;
    return parseMountinfo(textOf(host, `/proc/${pid}/mountinfo`))
      .filter((mount) => numbers.some((number) => isMountFrom(host, mount, number)))
      .map((mount) => ({ mount, isHere: table === here, text: `mounted on ${mount.mountpoint}${where}` }));
  });
}

/** proc_pid_mountinfo(5): a process is shown its namespace as far as it lies below its root. */
function tableOf(host: Host, pid: string): string {
  return `${targetOf(host, `/proc/${pid}/ns/mnt`)} ${targetOf(host, `/proc/${pid}/root`)}`;
}

/** By a process of its own: one of those files may lie on a server that does not answer. */
async function openAnywhere(host: Host, numbers: readonly string[]): Promise<string[]> {
  const files = processes(host).flatMap((pid) => [
    ...['cwd', 'root', 'exe'].map((name) => `/proc/${pid}/${name}`),
    ...listing(host, `/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`),
  ]);
  const pids = new Set<string>();
  for (let at = 0; at < files.length; at += filesAtOnce) {
    const some = files.slice(at, at + filesAtOnce).map((file) => host.path(file));
    const { stdout } = await host.run(['stat', '-L', '-c', '%d %n', ...some], { short: true });
    for (const [, dev = '', pid = ''] of stdout.matchAll(/^(\d+) .*\/proc\/(\d+)\//gm))
      if (numbers.includes(deviceNumberOf(Number(dev)))) pids.add(pid);
  }
  return [...pids].map((pid) => `open in ${named(host, pid)}`);
}

function swapOn(host: Host, device: Device): string[] {
  const [, ...rows] = textOf(host, '/proc/swaps').split('\n');
  return rows.flatMap((row) => {
    const [path = ''] = row.split(/\s/);
    const swap = path.startsWith('/') ? deviceAt(host, path) : undefined;
    const isIt = swap?.kind === 'block' && device.kind === 'block' && swap.number === device.number;
    return isIt ? [`used as swap (swapoff ${path})`] : [];
  });
}

function processes(host: Host): string[] {
  return listing(host, '/proc').filter((name) => /^\d+$/.test(name));
}

function named(host: Host, pid: string): string {
  return `${textOf(host, `/proc/${pid}/comm`).trim() || '?'} (pid ${pid})`;
}

function textOf(host: Host, file: string): string {
  try {
    return host.readText(file) ?? '';
  } catch {
    return ''; // EINVAL, EACCES: the process ends just now, or is not ours to look into
  }
}

function listing(host: Host, directory: string): string[] {
  try {
    return readdirSync(host.path(directory));
  } catch {
    return [];
  }
}

function targetOf(host: Host, link: string): string {
  try {
    return readlinkSync(host.path(link));
  } catch {
    return '';
  }
}
