import { readdirSync } from 'node:fs';
import { messageOf } from '../../errors.js';
import type { Host } from '../host.js';
import { type Device, deviceAt, isMadeOf, isSameDevice } from './devices.js';

type Block = Extract<Device, { readonly kind: 'block' }>;

/** Where a device is, or why it cannot be known, as a clause: "no device here has it". */
export type Found = { readonly path: string } | { readonly why: string };

/** Where udev keeps the names of devices (mount(8); udev's 60-persistent-storage.rules). */
const udevDirectories: Readonly<Record<string, string>> = {
  UUID: 'by-uuid',
  LABEL: 'by-label',
  PARTUUID: 'by-partuuid',
  PARTLABEL: 'by-partlabel',
  ID: 'by-id',
};

/** Whether the configuration names a device by what is written on it: `LABEL=my data`. */
export function isTag(device: string): boolean {
  return !device.startsWith('/');
}

/**
 * The path of the device that the configuration names, by a path or as fstab(5) names it: UUID=, LABEL=, PARTUUID=, PARTLABEL=, ID=.
 * As mount(8) does, udev is asked first, whose names are links; without udev, as in a container, blkid(8) reads the devices. Of several
 * devices with one name it is the one that is mounted in its place (`mounted`, its path), as a snapshot bears the names of what it is
 * of; else the one that is made of the others, as with multipath; else it is not known which is meant. Throws nothing but
 * STEP_TIMEOUT.
 */
export async function findDevice(host: Host, device: string, mounted?: string): Promise<Found> {
  if (!isTag(device)) return { path: device };
  const [, tag = '', value = ''] = /^([A-Z]+)=(.*)$/s.exec(device) ?? [];
  const linked = linkedDevice(host, tag, value);
  const isElsewhere = mounted !== undefined && !isSameDevice(linked, deviceAt(host, mounted));
  if (isElsewhere && (await hasTag(host, tag, value, mounted))) return { path: mounted };
  return linked === undefined ? scannedDevice(host, tag, value) : { path: linked.path };
}

async function hasTag(host: Host, tag: string, value: string, path: string): Promise<boolean> {
  if (blockAt(host, path) === undefined) return false;
  try {
    return (await scan(host, `${tag}="${value}"`, path)) !== undefined;
  } catch {
    return false;
  }
}

function linkedDevice(host: Host, tag: string, value: string): Block | undefined {
  const directory = `/dev/disk/${udevDirectories[tag] ?? ''}`;
  const wanted = encodeName(value);
  const exact = blockAt(host, `${directory}/${wanted}`);
  if (exact !== undefined || !isUuid(tag)) return exact;
  const names = listing(host.path(directory)).filter((name) => name.toLowerCase() === wanted.toLowerCase());
  return names.length === 1 ? blockAt(host, `${directory}/${names[0] ?? ''}`) : undefined;
}

/** udev's spelling: every byte but letters, digits, "#+-.:=@_" and valid UTF-8 as \xNN (libblkid's blkid_encode_string). */
function encodeName(value: string): string {
  return value.replace(
    /[^A-Za-z0-9#+\-.:=@_\u0080-\u{10ffff}]/gu,
    (character) => `\\x${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`,
  );
}

/** With the UUID in lower case, as the configuration has it: not of FAT and NTFS, whose UUIDs blkid has in upper case. */
async function scannedDevice(host: Host, tag: string, value: string): Promise<Found> {
  if (tag === 'ID')
    return { why: 'udev, which gives such names, has no link of that name in /dev/disk/by-id' };
  try {
    // Quoted, as a label may begin with a quote (libblkid, blkid_parse_tag_string).
    return (await scan(host, `${tag}="${value}"`)) ?? { why: 'no device here has it' };
  } catch (error) {
    return { why: `blkid(8) could not say: ${messageOf(error)}` };
  }
}

/** Undefined where no device has it. -c /dev/null: not what blkid remembers, but what is there. */
async function scan(host: Host, token: string, ...only: readonly string[]): Promise<Found | undefined> {
  const { exitCode, stdout, stderr } = await host.run(
    ['blkid', '-c', '/dev/null', '-o', 'export', '-t', token, ...only],
    { short: true },
  );
  // blkid(8), EXIT STATUS: 2 where there is none.
  if (exitCode === 2) return undefined;
  if (exitCode !== 0) return { why: `blkid(8) exited with ${exitCode}: ${stderr.trim()}` };
  const rows = stdout.split(/\n\n+/).map((row) => ({
    device: blockAt(host, /^DEVNAME=(.*)$/m.exec(row)?.[1] ?? ''),
    type: /^TYPE=(.*)$/m.exec(row)?.[1],
  }));
  const found = rows.flatMap(({ device, type }) => (device === undefined ? [] : [{ device, type }]));
  const top = found.filter(
    ({ device }) => !found.some(({ device: upper }) => isMadeOf(host, upper.number, device.number)),
  );
  const [first, second] = top;
  if (first === undefined) return undefined;
  // All devices of a btrfs have its UUID and its label, and any of them stands for it.
  if (second === undefined || top.every(({ type }) => type === 'btrfs')) return { path: first.device.path };
  return { why: `${top.map(({ device }) => device.path).join(' and ')} have it: write the path of one` };
}

function blockAt(host: Host, path: string): Block | undefined {
  const device = deviceAt(host, path);
  return device?.kind === 'block' ? device : undefined;
}

function isUuid(tag: string): boolean {
  return tag === 'UUID' || tag === 'PARTUUID';
}

function listing(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // without udev there is none
  }
}
