import { defaultConfigFile } from '../config/load-config.js';
import { schemaOf } from '../config/schema.js';
import { type KeyRow, type KeyTable, keyTables } from '../config/schema-shape.js';
import { environmentTexts } from '../environment.js';
import { drivers } from '../lockmanager/drivers.js';
import { hooks } from './sections/hooks.js';
import type { ManBlock, ManSection } from './man-page.js';

/** What nlm-failover.toml(5) says: every key with its default, as the schema has them, and a whole file. */
export function configSections(): ManSection[] {
  return [
    { title: 'SYNOPSIS', blocks: [{ text: `\`${defaultConfigFile}\`` }] },
    { title: 'DESCRIPTION', blocks: [{ text: description }] },
    { title: 'KEYS', blocks: keyTables(schemaOf(drivers)).flatMap(tableBlocks) },
    hooks,
    {
      title: 'EXAMPLE',
      blocks: [
        {
          text:
            'The same file on two nodes. Both reach all four volumes. At rest each node serves one address; either can serve both. ' +
            'The record of an address is on a state volume: it moves with the address, and no NFS client reaches it. It was made once, with ' +
            '`mke2fs -t ext4 -O mmp -E mmp_update_interval=1 /dev/vg0/state1`, 64 MB.',
        },
        { example: exampleFile },
      ],
    },
    {
      title: 'ENVIRONMENT',
      blocks: [{ terms: [['NLM_FAILOVER_CONFIG', environmentTexts.NLM_FAILOVER_CONFIG]] }],
    },
    {
      title: 'SEE ALSO',
      blocks: [
        {
          text: 'nlm-failover(8), nlm-failover-recovery(7), exports(5), nfs.conf(5), mount(8), https://toml.io/en/v1.0.0',
        },
      ],
    },
  ];
}

const description =
  'The configuration of nlm-failover(8), in TOML. It should be the same on every node; then `node` is left out.\n\n' +
  'Nothing is guessed: a key that is not known is an error, and so is a value that cannot be used. ' +
  'All errors are reported at once, each with its place and what would be right, with exit code 3 and before anything is touched. ' +
  'An integer is written without quotes, everything else in quotes. A key that has no default is required.';

function tableBlocks({ header, text, keys }: KeyTable): ManBlock[] {
  return [
    { heading: header === '' ? 'At the top' : header },
    { text },
    { terms: keys.map((key) => [key.name, keyText(key)] as const) },
  ];
}

function keyText({ wanted, text, default: otherwise, of }: KeyRow): string {
  const isFor = of === undefined ? '' : ` For the driver${of.length === 1 ? '' : 's'} ${of.join(', ')}.`;
  const value = `Value: ${wanted}${wanted.endsWith('.') ? '' : '.'}`;
  const without = otherwise === undefined ? 'Required.' : `Default: ${otherwise}.`;
  return `${capital(text)}.${isFor}\n\n${value} ${without}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A whole file for two nodes; a test loads it from the page. */
export const exampleFile = `# ${defaultConfigFile}, on nfs-a and on nfs-b

[lock_manager]
driver = "auto"

[timeouts]
A-4 = 600    # much is written back when /srv/vol2 is unmounted

[[floating_ip]]
address = "10.10.1.1/24"
interface = "eth0"
names = ["nfs1.example.com"]
state_directory = "/srv/state1"

  # Mounted first, unmounted last, never exported.
  [[floating_ip.filesystem]]
  device = "/dev/vg0/state1"
  mountpoint = "/srv/state1"
  type = "ext4"
  options = "noatime"

  [[floating_ip.filesystem]]
  fsid = 1234
  device = "/dev/vg0/vol1"
  mountpoint = "/srv/vol1"
  type = "ext4"
  options = "noatime"

    [[floating_ip.filesystem.export]]
    path = "/srv/vol1/data"
    clients = "10.10.0.0/16"
    options = "rw,no_subtree_check"

[[floating_ip]]
address = "fd00:10::2/64"
interface = "eth0"
names = ["nfs2.example.com"]
state_directory = "/srv/state2"

  [[floating_ip.filesystem]]
  device = "UUID=93f0a6d4-6c63-4e5b-8f0f-1d3b9a4c7e21"
  mountpoint = "/srv/state2"
  type = "ext4"
  options = "noatime"

  [[floating_ip.filesystem]]
  fsid = "6f1ed002-ab59-5f25-7d1a-a3b6b9a1c0de"
  device = "UUID=2f4a1c0e-93d4-4c07-a6c5-0d6d1b7c9e55"
  mountpoint = "/srv/vol2"
  type = "xfs"

    [[floating_ip.filesystem.export]]
    path = "/srv/vol2/data"
    clients = "fd00:10::/64"
    options = "rw,no_subtree_check"

    [[floating_ip.filesystem.export]]
    path = "/srv/vol2/data"
    clients = "backup.example.com"
    options = "ro,no_subtree_check"
`;
