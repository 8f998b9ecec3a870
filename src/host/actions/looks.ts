// What can be known of the machine before anything is done: each look answers with what stands in the way, and leaves no trace.
import { existsSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import * as v from 'valibot';
import type { Obstacle } from '../action.js';
import type { Host } from '../host.js';
import { isInstalled } from '../running/command.js';
import type { MountableFilesystem } from './mount.js';

/** What B-1 would fail for. */
export async function lookAtMount(
  host: Host,
  { device, mountpoint, type }: MountableFilesystem,
): Promise<Obstacle[]> {
  const place = statSync(host.path(mountpoint), { throwIfNoEntry: false });
  return [
    ...(device.startsWith('/') && !existsSync(host.path(device))
      ? [
          {
            message: `There is no device ${device}`,
            hint: 'Correct "device" in the configuration, or see why this node does not reach it: lsblk, dmesg.',
          },
        ]
      : []),
    ...(place === undefined || place.isDirectory()
      ? []
      : [{ message: `The mount point ${mountpoint} is not a directory`, hint: 'Correct "mountpoint".' }]),
    ...((await knowsType(host, type))
      ? []
      : [
          {
            message: `This kernel knows no file system of type "${type}"`,
            hint: 'Correct "type" in the configuration, or install what brings it.',
          },
        ]),
  ];
}

/** It is in the kernel, its module lies ready, or a program mounts it (mount(8), external helpers). */
async function knowsType(host: Host, type: string): Promise<boolean> {
  if (host.kind === 'rehearsal') return true;
  const known = (host.readText('/proc/filesystems') ?? '').split('\n').map((line) => line.split('\t').at(-1));
  const kinds = type.split(',');
  // Left to mount(8) to find out, or to its rules.
  if (kinds.some((kind) => kind === 'auto' || kind === 'none' || kind.startsWith('no'))) return true;
  for (const kind of kinds) {
    if (
      known.includes(kind) ||
      isInstalled(`mount.${kind}`) ||
      isInstalled(`mount.${kind.split('.')[0] ?? ''}`)
    )
      return true;
    if (!isInstalled('modinfo')) return true;
    // mount(2) asks for the module by this alias (fs/filesystems.c, get_fs_type).
    const { exitCode } = await host.run(['modinfo', '-n', `fs-${kind}`], { short: true });
    if (exitCode === 0) return true;
  }
  return false;
}

/** As much of `ip -j link show` as is read here (ip-link(8)); flags as netdevice(7) names them. */
const linkSchema = v.array(
  v.object({ ifname: v.optional(v.string()), flags: v.optional(v.array(v.string())) }),
);

/** What is wrong with a network interface that an address is to go on: it is not there, or down. */
export async function lookAtLink(host: Host, device: string): Promise<Obstacle[]> {
  const { exitCode, stdout, stderr } = await host.run(['ip', '-j', 'link', 'show', 'dev', device]);
  if (exitCode !== 0)
    return [
      {
        message: `There is no network interface ${device}: ${stderr.trim()}`,
        hint: 'Correct "interface" in the configuration; "ip -br link" lists what there is.',
      },
    ];
  const [link] = v.parse(linkSchema, JSON.parse(stdout));
  if (link?.flags === undefined || link.flags.includes('UP')) return [];
  return [
    {
      message: `The network interface ${device} is down`,
      hint: `Run "ip link set ${device} up", and see why it was down.`,
    },
  ];
}

/** A host name that the name service does not know: exportfs leaves that client out, and serves everybody else. */
export async function lookAtClients(host: Host, clients: string): Promise<Obstacle[]> {
  // exports(5): a pattern, a network, a netgroup, an address are not looked up.
  if (host.kind === 'rehearsal' || !/^[a-z0-9_.-]+$/i.test(clients) || isIP(clients) !== 0) return [];
  // 2: not found (getent(1)). Whether it answers at all is not this client's trouble.
  const { exitCode } = await host.run(['getent', 'ahosts', clients], { short: true });
  return exitCode === 2
    ? [
        {
          message: `The client ${clients} cannot be resolved, so that nothing is exported to it`,
          hint: 'See "getent ahosts", /etc/hosts and DNS.',
          isNote: true,
        },
      ]
    : [];
}
