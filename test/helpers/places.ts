import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Places } from '../wire/places-inside.js';
import { askInside } from './inside.js';
import type { Netns } from './netns.js';

export interface PlaceOptions {
  readonly type?: string;
  readonly options?: string;
  /** Default: /run/state, which is on no volume. */
  readonly stateDirectory?: string;
}

/** One file system of the configuration: its device and mount point, as they are written there. */
export type Written = readonly [device: string, mountpoint: string];

/** Mounted, again, unmounted, again; and whether that is so already. */
export const thereAndBack = [
  ['mount', false],
  ['mount', true],
  ['unmount', false],
  ['unmount', true],
] as const;

/** Asks places-inside.js of a configuration with these file systems; see there. One question at a time. */
export async function places(
  host: Netns,
  verb: 'look' | 'mount' | 'unmount',
  filesystems: readonly Written[],
  { type = 'ext4', options = '', stateDirectory = '/run/state' }: PlaceOptions = {},
): Promise<Places> {
  const file = '/run/places.toml';
  const tables = filesystems.map(
    ([device, mountpoint], index) => `
  [[floating_ip.filesystem]]
  fsid = ${index + 1}
  device = ${JSON.stringify(device)}
  mountpoint = ${JSON.stringify(mountpoint)}
  type = "${type}"
  options = "${options}"
    [[floating_ip.filesystem.export]]
    path = ${JSON.stringify(`${mountpoint.replace(/\/+$/, '')}/data`)}
    clients = "*"
`,
  );
  writeFileSync(
    host.path(file),
    `node = "A"
[[floating_ip]]
address = "10.10.1.1/24"
interface = "eth0"
trust_clients = true
state_directory = ${JSON.stringify(stateDirectory)}
${tables.join('')}`,
  );
  const script = path.join(import.meta.dirname, '../wire/places-inside.js');
  return askInside<Places>(host, script, `${verb} ${file}`);
}
