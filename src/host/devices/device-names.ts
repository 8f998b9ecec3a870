import { readdirSync } from 'node:fs';
import { messageOf } from '../../errors.js';
import type { Host } from '../host.js';
import { type Device, deviceAt, isMadeOf, isSameDevice } from './devices.js';

type Block = Extract<Device, { readonly kind: 'block' }>;

/** Where a device is, or why it cannot be known, as a clause: "no device here has it". */
export type Found = { readonly path: string } | { readonly why: string };

/** Why a path is no device. */
export const noneThere = 'neither a block device nor an image file is there';

/** One sentence, wherever it is seen. `why`: `noneThere`, or what `findDevice` says. */
export function unknownDevice(device: string, why: string): string {
  return `The device ${device} cannot be found on this node: ${why}`;
}

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
 * blkid(8) reads the devices, all of them: of two with one name, as a volume and its snapshot, udev's link leads to either
 * (systemd src/udev/udev-node.c), and mount(8) follows it. Of several it is the one that is mounted in its place (`mounted`, its path);
 * else the one that is made of the others, as with multipath; else it is not known which is meant, nor where the link leads to what
 * blkid does not find it on. The link alone counts where blkid finds none, or cannot say. Throws nothing but STEP_TIMEOUT.
 */
export async function findDevice(host: Host, device: string, mounted?: string): Promise<Found> {
  if (!isTag(device)) return { path: device };
  const [, tag = '', value = ''] = /^([A-Z]+)=(.*)$/s.exec(device) ?? [];
  const linked = linkedDevice(host, tag, value);
  const place = mounted === undefined ? undefined : blockAt(host, mounted);
  if (place !== undefined && (isSameDevice(linked, place) || (await hasTag(host, tag, value, place.path))))
    return place;
  if (tag === 'ID')
    return linked ?? { why: 'udev, which gives such names, has no link of that name in /dev/disk/by-id' };
  const scanned = await scannedDevices(host, tag, value);
  return 'why' in scanned ? (linked ?? scanned) : oneOf(host, scanned.holders, linked);
}

async function hasTag(host: Host, tag: string, value: string, path: string): Promise<boolean> {
  return tag !== 'ID' && 'holders' in (await scannedDevices(host, tag, value, path));
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

/** Length of one as RFC 9562 writes it, which libblkid does in lower case. */
const wholeUuid = 36;

interface Holder {
  readonly device: Block;
  /** The file system's, where it has one. */
  readonly type: string | undefined;
}

/**
 * One at least, of `only` these paths if there are any, or why there is none. A UUID is lower case in the configuration; the shorter
 * ones of FAT, exFAT and NTFS are upper case for blkid (libblkid/src/superblocks: vfat.c, exfat.c, ntfs.c).
 */
async function scannedDevices(
  host: Host,
  tag: string,
  value: string,
  ...only: readonly string[]
): Promise<{ readonly holders: readonly Holder[] } | { readonly why: string }> {
  const spellings = new Set(isUuid(tag) && value.length < wholeUuid ? [value, value.toUpperCase()] : [value]);
  const holders: Holder[] = [];
  try {
    for (const spelling of spellings) {
      // Quoted, as a label may begin with a quote (libblkid, blkid_parse_tag_string).
      const scanned = await scan(host, `${tag}="${spelling}"`, only);
      if ('why' in scanned) return scanned;
      holders.push(...scanned.holders);
    }
  } catch (error) {
    return { why: `blkid(8) could not say: ${messageOf(error)}` };
  }
  return holders.length > 0 ? { holders } : { why: 'no device here has it' };
}

/** -c /dev/null: not what blkid remembers, but what is there. */
async function scan(
  host: Host,
  token: string,
  only: readonly string[],
): Promise<{ readonly holders: readonly Holder[] } | { readonly why: string }> {
  const { exitCode, stdout, stderr } = await host.run(
    ['blkid', '-c', '/dev/null', '-o', 'export', '-t', token, ...only],
    { short: true },
  );
  // blkid(8), EXIT STATUS: 2 where there is none.
  if (exitCode === 2) return { holders: [] };
  if (exitCode !== 0) return { why: `blkid(8) exited with ${exitCode}: ${stderr.trim()}` };
  const holders = stdout.split(/\n\n+/).flatMap((row) => {
    const device = blockAt(host, /^DEVNAME=(.*)$/m.exec(row)?.[1] ?? '');
    return device === undefined ? [] : [{ device, type: /^TYPE=(.*)$/m.exec(row)?.[1] }];
  });
  return { holders };
}

function oneOf(host: Host, holders: readonly Holder[], linked: Block | undefined): Found {
  const isAbove = (upper: Block, { device }: Holder) => isMadeOf(host, upper.number, device.number);
  const top = holders.filter((holder) => !holders.some(({ device }) => isAbove(device, holder)));
  const names = top.map(({ device }) => device.path).join(' and ');
  // All devices of a btrfs have its UUID and its label, and any of them stands for it.
  if (top.length > 1 && !top.every(({ type }) => type === 'btrfs'))
    return { why: `${names} have it: write the path of one` };
  const isFound = holders.some(({ device }) => device.number === linked?.number);
  if (linked === undefined || isFound) return { path: top[0]?.device.path ?? '' };
  if (top.every((holder) => isAbove(linked, holder))) return linked;
  return { why: `${names} has it, and udev's link leads to ${linked.path}: write the path of one` };
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
