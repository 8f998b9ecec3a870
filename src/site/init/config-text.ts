import type { Found, FoundFilesystem, FoundSite } from './found.js';

/** Begins a value that nobody could know: no key accepts it, and the message shows it. */
const wanted = 'WRITE HERE: ';

/**
 * The configuration of a site, in TOML, with a comment wherever something had to be guessed. What could not be known stands as a value
 * that is refused, and says what is wanted: never a guess with which something could be destroyed.
 */
export function configText(site: FoundSite): string {
  const { address, names, stateDirectory, stateVolume, filesystems, leftOut } = site;
  const [first] = names;
  return [
    '# Written by "nlm-failover init" from what runs here now. See what is GUESSED and what says WRITE HERE, then "nlm-failover setup" and "nlm-failover check".',
    '# The same file goes on every node.',
    '',
    ...leftOut.map((one) => comment(`Left out: ${one}.`)),
    ...(leftOut.length === 0 ? [] : ['']),
    '[[floating_ip]]',
    ...about(site.prefix),
    `address = ${quoted(addressText(address, site.prefix))}`,
    ...line('interface', site.interface),
    ...(first === undefined
      ? [`# names = ["nfs1.example.com"]   # the names by which clients mount from it, if any`]
      : [
          comment('GUESSED: what the name service calls it. The names by which clients mount from it.'),
          `names = [${names.map(quoted).join(', ')}]`,
        ]),
    ...line('state_directory', stateDirectory),
    ...(site.isMountedByOthers
      ? [
          comment('GUESSED: a file system below is mounted from no device, so somebody else mounts it.'),
          'managed_by_others = ["mount"]',
        ]
      : []),
    ...(stateVolume === undefined
      ? stateWanted(stateDirectory)
      : [
          '',
          '  [[floating_ip.filesystem]]    # the state volume: not exported',
          ...(stateVolume.about === undefined ? [] : [`  ${comment(`${stateVolume.about}.`)}`]),
          ...volume(stateVolume),
        ]),
    ...(filesystems.length === 0 ? nothingExported : filesystems.flatMap(filesystemLines)),
    '',
  ].join('\n');
}

function addressText(address: string | undefined, prefix: Found): string {
  if (prefix.value !== undefined) return `${address}/${prefix.value}`;
  return `${wanted}${address === undefined ? '' : `${address}/ and `}${prefix.wanted ?? ''}`;
}

const nothingExported = [
  '',
  '  # Nothing is exported here that could move. Write a table for each file system, and below it one for each export.',
  '  [[floating_ip.filesystem]]',
  `  fsid = ${quoted(`${wanted}a number that no other file system has, without quotes`)}`,
  `  device = ${quoted(`${wanted}a device that every node reaches`)}`,
  `  mountpoint = ${quoted(`${wanted}where it is mounted`)}`,
  '  type = "ext4"',
  '    [[floating_ip.filesystem.export]]',
  '    clients = "*"',
];

/** For an address that has no state volume. */
function stateWanted({ value }: Found): string[] {
  if (value !== undefined) return [];
  return [
    '',
    '  # The record lies on a file system of its own, 64 MB, never exported, which every node reaches. Made once:',
    '  #   lvcreate -L 64M -n state1 VG     where LVM is used; "nlm-failover setup --state-device DEVICE" makes the file system, or:',
    '  #   mke2fs -t ext4 -O mmp -E mmp_update_interval=1 DEVICE',
    '  [[floating_ip.filesystem]]',
    `  device = ${quoted(`${wanted}that device`)}`,
    `  mountpoint = ${quoted(`${wanted}its mount point, the same as state_directory`)}`,
    '  type = "ext4"',
  ];
}

function filesystemLines(filesystem: FoundFilesystem): string[] {
  const { fsid, exports } = filesystem;
  return [
    '',
    '  [[floating_ip.filesystem]]',
    ...line('fsid', fsid).map(indented),
    ...volume(filesystem),
    ...exports.flatMap(({ path, clients, options }) => [
      '',
      '    [[floating_ip.filesystem.export]]',
      `    path = ${quoted(path)}`,
      `    clients = ${quoted(clients)}`,
      ...(options === '' ? [] : [`    options = ${quoted(options)}`]),
    ]),
  ];
}

function volume({ device, mountpoint, type, options }: Omit<FoundFilesystem, 'fsid' | 'exports'>): string[] {
  return [
    ...line('device', device),
    `mountpoint = ${quoted(mountpoint)}`,
    `type = ${quoted(type)}`,
    ...(options === '' ? [] : [`options = ${quoted(options)}`]),
  ].map(indented);
}

function line(key: string, found: Found): string[] {
  const { value } = found;
  const text = value ?? `${wanted}${found.wanted ?? ''}`;
  return [...about(found), `${key} = ${typeof text === 'number' ? text : quoted(text)}`];
}

function about({ about: why }: Found): string[] {
  return why === undefined ? [] : [comment(`${why}.`)];
}

function indented(text: string): string {
  return `  ${text}`;
}

/** In one line, whatever is in a name. */
function comment(text: string): string {
  return `# ${text.replaceAll(/[\u0000-\u001f\u007f]/g, '?')}`;
}

/** A basic string of TOML: as JSON has it, and without DEL. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll('\u007f', '\\u007f');
}
