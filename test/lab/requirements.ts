import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const machineCommands = [
  'unshare',
  'nsenter',
  'taskset',
  'setsid',
  'ip',
  'mkfs.ext4',
  'mkfs.xfs',
  'mkfs.btrfs',
];
const guestCommands =
  'linux.uml perl busybox modprobe flock rpcbind rpc.statd rpc.nfsd rpc.mountd exportfs mount.nfs'.split(' ');

/** The root of the Debian system whose kernel and programs are the guests'; undefined: the machine's own. See lab.ts. */
export const guestSystem = process.env['LAB_SYSTEM'];

/** A kernel of guests: the program with what it is started with, and the directory of its modules, by release. */
export interface Kernel {
  readonly program: string;
  readonly modules: string;
  readonly parameters: readonly string[];
}

export type KernelName = 'system' | 'stable' | 'testing';

const system: Kernel = { program: 'linux.uml', modules: '/usr/lib/uml/modules', parameters: [] };

/** What test/setup puts there on Debian 12. */
const beside = (release: string, parameters: readonly string[] = []): Kernel => ({
  program: `/var/cache/nlm-failover-lab/${release}/linux.uml`,
  modules: `/var/cache/nlm-failover-lab/${release}/modules`,
  parameters,
});

const stable = isNewer(system) ? system : beside('debian-13');
// Without it, it traces its processes as the others do: Linux Documentation/virt/uml/user_mode_linux_howto_v2.rst, arch/um/os-Linux/start_up.c.
const testing = beside('debian-testing', ['seccomp=on']);

/**
 * `system`: that of the user-mode-linux package, on Debian 12 Linux 6.1. `stable`: 6.12 of Debian 13, with the same programs, as
 * a Debian 12 with a kernel of its backports has. `testing`: that of the next Debian, if it is there. To start a program takes
 * 11 ms on the first, 5.5 and 3 on the others. Where the package's own is a newer one already, or LAB_SYSTEM says which, all are that one.
 */
export const kernels: Readonly<Record<KernelName, Kernel>> = {
  system,
  stable,
  testing: stable !== system && existsSync(testing.program) ? testing : stable,
};

function isNewer({ modules }: Kernel): boolean {
  if (guestSystem !== undefined) return true;
  const releases = existsSync(modules) ? readdirSync(modules) : [];
  return releases.every((release) => !release.startsWith('6.1.'));
}

/** PATH of every command the lab starts on the machine: mkfs and ip are often outside a user's PATH. */
export const machinePath = [process.env['PATH'] ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(
  delimiter,
);

function executable(command: string, root = '/'): boolean {
  return machinePath.split(delimiter).some((directory) => {
    try {
      accessSync(join(root, directory, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Why the lab cannot run on this machine, as one sentence, or undefined if it can.
 * @param more commands that the guests need beside those of every lab
 * A test that finds a reason must show up as skipped, and CI must treat that as a failure.
 */
export function labUnavailable(more: readonly string[] = []): string | undefined {
  if (process.platform !== 'linux') return 'The lab needs Linux.';
  if (process.getuid?.() !== 0) return 'The lab needs root, for its network namespace.';
  if (!existsSync('/dev/net/tun')) return 'The lab needs /dev/net/tun.';
  const root = guestSystem ?? '/';
  const missing = [
    ...machineCommands.filter((command) => !executable(command)),
    ...[...guestCommands, ...more].filter((command) => !executable(command, root)),
    ...[kernels.system.modules].filter((file) => !existsSync(join(root, file))),
    ...[kernels.stable.program].filter((file) => file.startsWith('/') && !existsSync(file)),
  ];
  if (missing.length > 0) {
    return `The lab needs ${missing.join(', ')}, here${guestSystem === undefined ? '' : ` or in ${guestSystem}`} (Debian: user-mode-linux nfs-common nfs-kernel-server rpcbind kmod e2fsprogs xfsprogs btrfs-progs iproute2 busybox, and those of test/setup).`;
  }
  const unshare = spawnSync('unshare', ['--net', '--pid', '--fork', 'true'], { env: { PATH: machinePath } });
  if (unshare.status !== 0)
    return 'The lab needs network and process namespaces, and unshare(1) is refused here.';
  return undefined;
}
