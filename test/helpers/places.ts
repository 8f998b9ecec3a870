import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Places } from '../wire/places-inside.js';
import type { Netns, Program } from './netns.js';

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

interface Asked {
  readonly program: Program;
  questions: number;
}

/** One process for each namespace: to load the modules takes it ten times as long as to answer. */
const asked = new WeakMap<Netns, Asked>();

function askedIn(host: Netns): Asked {
  const there = asked.get(host);
  if (there !== undefined) return there;
  const script = path.join(import.meta.dirname, '../wire/places-inside.js');
  const made = { program: host.start(process.execPath, [script]), questions: 0 };
  asked.set(host, made);
  return made;
}

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
  const ask = askedIn(host);
  ask.questions += 1;
  ask.program.write(`${verb} ${file}`);
  const [, answer = ''] = await ask.program.saw(new RegExp(`^${ask.questions} (.*)\n`, 'm'));
  return JSON.parse(answer) as Places;
}
