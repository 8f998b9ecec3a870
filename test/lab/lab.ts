/**
 * The lab: three User-Mode Linux kernels on one machine, for tests that need real NFS servers.
 *
 *     const lab = await bootLab();              // A and B: servers; C: clients holder, rival, other
 *     const { a, b, c } = lab;
 *     await a.startNfs({ graceSeconds: 10 });
 *     await a.serveByHand({ device: lab.disks.vol1.device, mountpoint: '/mnt/vol1', fsid: 1, address: '10.10.1.1' });
 *     const holder = c.client('holder');
 *     await holder.mount({ server: '10.10.1.1', path: '/mnt/vol1' });
 *     const lock = await holder.lock('/mnt/nfs/file');
 *     await a.nfsLocks(lab.disks.vol1.device);  // [{ file: '62:00:12', ... }]
 *     await a.powerCut();
 *     await lab.stop();
 *
 * - `guest.run(argv | script)` runs in a guest or in a client; `start` does not wait for the end.
 * - The machine's file tree is every guest's root, with a tmpfs above it, so node is where it is on the machine. The checkout
 *   is at /opt/nlm-failover (`inGuest`), and everybody may read its callouts there; `lab.directory` is shared, and can be written.
 * - A guest runs on one CPU: its processes hand over to each other all the time, which costs half as much there.
 * - Empty in each guest at each boot: /run, /tmp, /mnt, /dev/shm, /var/lib/nfs. Only disks survive.
 * - Both servers see all disks, and nothing but the test keeps them from mounting one at once.
 * - The programs are the machine's; the kernel is that of Debian 12, of Debian 13 or of Debian testing, see requirements.ts.
 * - `LAB_SYSTEM=DIRECTORY` makes another Debian release the guests' root, with its kernel and its nfs-utils: a tree that
 *   `debootstrap --variant=minbase --include=PACKAGES RELEASE DIRECTORY` made, with the packages of test/setup. Node and
 *   the checkout stay the machine's.
 * - All of it lives in a network and a process namespace that end with the test's process.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ClientHost } from './client-host.js';
import { createDisk, type Disk } from './disk.js';
import type { Guest } from './guest.js';
import { type Holder, startHolder } from './holder.js';
import type { MachineSettings } from './machine.js';
import { labScript, projectRoot } from './project-root.js';
import { type KernelName, machinePath } from './requirements.js';
import { Server } from './server.js';
import type { SiteIp } from './site.js';
import { LabSite } from './sites/lab-site.js';

export { labUnavailable } from './requirements.js';

export interface LabOptions {
  /** Memory of each guest; 384 by default. */
  readonly megabytes?: number;
  /** Whether A's service manager is systemd; else it has none, as B and C. */
  readonly systemdOnA?: boolean;
  /** The README's by default. */
  readonly site?: LabSite;
  /** The kernels of guests, see requirements.ts; `testing` where it does not say. */
  readonly onKernels?: Kernels;
}

export type GuestName = keyof typeof guestNumbers;

export type Kernels = Readonly<Partial<Record<GuestName, KernelName>>>;

export type DataDisk = 'vol1' | 'vol2' | 'vol3';
/** state1 for the address that has vol1, and so on. */
export type StateDisk = 'state1' | 'state2' | 'state3';

export interface Lab {
  readonly a: Server;
  readonly b: Server;
  readonly c: ClientHost;
  readonly site: LabSite;
  /** The floating IP that moves in nearly every scenario. */
  readonly moving: SiteIp;
  /** Fresh volumes, of 64 MB where the site's type allows that, /dev/ubda to /dev/ubdc on both servers; and ext4 of 16 MB, to /dev/ubdf, for the records of addresses. */
  readonly disks: Readonly<Record<DataDisk | StateDisk, Disk>>;
  /**
   * Seconds for which the servers' grace periods last where the test does not say. Long, so that the takeover, and not a slow
   * machine, decides what is reclaimed: a test that has seen what it needs ends them (Server.endGrace). A multiple of 10, as
   * lockd makes it one (fs/lockd/svc.c, get_lockd_grace_period).
   */
  readonly graceSeconds: number;
  /** The lab's temporary directory, at the same path on the machine and in every guest. */
  readonly directory: string;
  /** Takes a guest's cable out, or puts it in again. */
  cable(guest: Guest, state: 'up' | 'down'): Promise<void>;
  /** Ends every guest and removes all that the lab made. May be called twice. */
  stop(): Promise<void>;
}

/**
 * Boots the three guests at once.
 * @throws Error with a guest's console if one does not come up; nothing is left then
 */
export async function bootLab({
  megabytes = 384,
  systemdOnA = false,
  site = new LabSite(),
  onKernels = {},
}: LabOptions = {}): Promise<Lab> {
  return openLab(['A', 'B', 'C'], async (directory, holder) => {
    const { type } = site.traits;
    const data = (name: DataDisk, index: number) => createDisk(join(directory, name), index, 64, type);
    const protect = site.traits.state === 'protected';
    const state = (name: StateDisk, index: number) =>
      createDisk(join(directory, name), index, 16, 'ext4', protect);
    const [vol1, vol2, vol3, state1, state2, state3] = await Promise.all([
      data('vol1', 0),
      data('vol2', 1),
      data('vol3', 2),
      state('state1', 3),
      state('state2', 4),
      state('state3', 5),
    ]);
    const disks = { vol1, vol2, vol3, state1, state2, state3 };
    const settings = (name: GuestName, more: Partial<MachineSettings>) =>
      guestSettings(name, { megabytes, directory, kernel: onKernels[name] ?? 'testing', ...more });
    const shared = Object.values(disks);
    const a = new Server(holder, settings('A', { disks: shared, systemd: systemdOnA }));
    const b = new Server(holder, settings('B', { disks: shared }));
    const c = new ClientHost(holder, settings('C', {}));
    await Promise.all([a, b, c].map((guest: Guest) => guest.boot()));
    const cable: Lab['cable'] = async ({ name }, upOrDown) => {
      const [file, ...argv] = holder.inside(['ip', 'link', 'set', `tap${name}`, upOrDown]);
      await promisify(execFile)(file, argv, { env: { PATH: machinePath } });
    };
    return { a, b, c, site, moving: site.moving, disks, graceSeconds: 60, cable };
  });
}

/** Makes the directory and the network of a lab with these guests, and what `make` puts in it; nothing is left where that fails. */
export async function openLab<T extends object>(
  guests: readonly GuestName[],
  make: (directory: string, holder: Holder) => Promise<T>,
): Promise<T & Pick<Lab, 'directory' | 'stop'>> {
  const directory = await mkdtemp(join(tmpdir(), 'nlm-failover-lab-'));
  const taps = guests.map((name) => `tap${name}`);
  const holder = await startHolder(directory, taps).catch(async (error: unknown) => {
    await rm(directory, { recursive: true, force: true });
    throw error;
  });
  // A kernel that does not come up is ended, and says so.
  const limit = setTimeout(() => void holder.stop(), 180_000);
  try {
    await prepareDirectory(directory);
    return { ...(await make(directory, holder)), directory, stop: () => holder.stop() };
  } catch (error) {
    await holder.stop();
    throw error;
  } finally {
    clearTimeout(limit);
  }
}

/** The last numbers of the guests' addresses, 10.10.1.x and fd00:10:10:1::x. */
const guestNumbers = { A: 11, B: 12, C: 20 } as const;

/** What a guest is made of, with the address and the tap that its name has. */
export function guestSettings(
  name: GuestName,
  options: Pick<MachineSettings, 'megabytes' | 'directory'> & Partial<MachineSettings>,
): MachineSettings {
  const number = guestNumbers[name];
  return {
    name,
    tap: `tap${name}`,
    mac: `52:54:00:00:00:${number}`,
    address: `10.10.1.${number}`,
    address6: `fd00:10:10:1::${number}`,
    systemd: false,
    kernel: 'testing',
    disks: [],
    ...options,
  };
}

/** What the guests find in the lab's directory when they boot. */
async function prepareDirectory(directory: string): Promise<void> {
  const variables = `LAB_CHECKOUT=${projectRoot()}\nLAB_NODE=${dirname(process.execPath)}\n`;
  await mkdir(join(directory, 'uml'));
  await Promise.all([
    ...['init', 'guest.pl'].map((name) => copyFile(labScript(name), join(directory, name))),
    writeFile(join(directory, 'guest.env'), variables),
    assemble(labScript('node.S'), join(directory, 'node.so')),
    assemble(labScript('node.S'), join(directory, 'node-before-6.11.so'), ['--defsym', 'twice=1']),
    assemble(labScript('corosync.S'), join(directory, 'corosync.so')),
    assemble(labScript('ptrace.S'), join(directory, 'ptrace.so')),
  ]);
}

/** What makes node, or corosync, cheap in the guests, or has a kernel run here. Without binutils, or on another processor, there is none. */
async function assemble(source: string, library: string, options: readonly string[] = []): Promise<void> {
  const object = `${library}.o`;
  const run = promisify(execFile);
  if (process.arch !== 'x64') return;
  try {
    await run('as', [...options, '-o', object, source], { env: { PATH: machinePath } });
    await run('ld', ['-shared', '-o', library, object], { env: { PATH: machinePath } });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
