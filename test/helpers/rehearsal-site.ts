import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { LoadDrivers } from '../../src/cli/open-reader.js';
import { rehearsalHost } from '../../src/host/rehearsal/rehearsal.js';
import { projectRoot } from '../lab/project-root.js';
import type { EndedHere } from './run-here.js';

export interface RehearsalNode {
  readonly name: 'A' | 'B';
  /** Its machine: /proc, /etc, /var, /srv below here. */
  readonly root: string;
  readonly config: string;
  /** Where a file of the node is, by its absolute path: below a mount point it is on the device. */
  path(absolute: string): string;
  /** Reads a file of the node by its absolute path. */
  read(absolute: string): string;
  write(absolute: string, text: string): void;
  remove(absolute: string): void;
  /** Makes an absolute path of the node a link to a directory that both nodes see. */
  link(absolute: string, target: string): void;
  /** Runs a command there, in this process: see run-here.ts. With other lock managers than those of src, if so. */
  here(args: readonly string[], drivers?: LoadDrivers): Promise<EndedHere>;
  /** Runs bin/nlm-failover there, as a person would. */
  tool(args: readonly string[]): Promise<{ exitCode: number; stdout: string; stderr: string }>;
}

export interface RehearsalOptions {
  readonly address: string;
  readonly rpcbindPort: number;
  /** Default: a state volume for each address, /dev/state1 on /mnt/state1 for the first. On an exported volume the clients are trusted. */
  readonly stateDirectory?: string;
  readonly fsids?: readonly number[];
  /** What [lock_manager] names; default: nothing. "ganesha": its Export_Ids are the numbers of the volumes. */
  readonly driver?: string;
  /** The addresses serve a file system that both nodes export, by NFS-Ganesha, and have none of their own. Needs `stateDirectory`. */
  readonly shared?: boolean;
  /** Further floating IPs, each with one file system: on /mnt/vol2, /mnt/vol3, ... where the first address has one. */
  readonly others?: readonly { readonly address: string; readonly fsid: number }[];
}

/** Two rehearsed nodes with shared volumes vol1, vol2, ... in a temporary directory. */
export interface RehearsalSite {
  readonly directory: string;
  readonly address: string;
  readonly a: RehearsalNode;
  readonly b: RehearsalNode;
  remove(): void;
}

/** Makes the site: nothing is mounted, nfsd is not running, no address is up. */
export function makeRehearsal(options: RehearsalOptions): RehearsalSite {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-rehearsal-'));
  const fsids = options.fsids ?? [1234];
  for (const disk of disksOf(fsids, options))
    mkdirSync(path.join(directory, 'disks', disk), { recursive: true });
  return {
    directory,
    address: options.address,
    a: makeNode(directory, 'A', fsids, options),
    b: makeNode(directory, 'B', fsids, options),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** vol1, vol2... and as many state1, state2..., of which the first volume of each address has one. */
function disksOf(fsids: readonly number[], { others = [] }: RehearsalOptions): string[] {
  return [...fsids, ...others].flatMap((_, index) => [`vol${index + 1}`, `state${index + 1}`]);
}

function makeNode(
  directory: string,
  name: 'A' | 'B',
  fsids: readonly number[],
  options: RehearsalOptions,
): RehearsalNode {
  const root = path.join(directory, name);
  const inside = (absolute: string) => rehearsalHost(root).path(absolute);
  for (const place of [
    '/proc/self',
    '/proc/fs/nfsd',
    '/proc/fs/lockd',
    '/var/lib/nfs/sm',
    '/etc',
    '/dev',
    '/run',
  ]) {
    mkdirSync(inside(place), { recursive: true });
  }
  for (const disk of disksOf(fsids, options)) {
    symlinkSync(path.join(directory, 'disks', disk), inside(`/dev/${disk}`));
    mkdirSync(inside(`/mnt/${disk}`), { recursive: true });
  }
  const write = (absolute: string, text: string) => writeFileSync(inside(absolute), text);
  write('/rehearsal', `${options.rpcbindPort}\n`);
  write('/etc/machine-id', `${randomUUID().replaceAll('-', '')}\n`);
  write('/addresses.json', '[]');
  write('/proc/fs/nfsd/threads', '0\n');
  write('/proc/fs/nfsd/unlock_filesystem', '');
  for (const empty of ['/proc/self/mountinfo', '/proc/locks', '/var/lib/nfs/etab']) write(empty, '');
  write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  if (options.shared === true) write('/dbus.json', '{ "inGrace": false, "exports": [[1, "/gv"]] }');
  write('/etc/nlm-failover.toml', configText(name, fsids, options));
  const config = inside('/etc/nlm-failover.toml');
  return {
    name,
    root,
    config,
    path: inside,
    read: (absolute) => readFileSync(inside(absolute), 'utf8'),
    write,
    remove: (absolute) => rmSync(inside(absolute)),
    link: (absolute, target) => symlinkSync(target, inside(absolute)),
    // Whoever only starts processes need not load every command.
    here: async (args, drivers) => (await import('./run-here.js')).runHere(root, config, args, drivers),
    tool: (args) => runTool(root, config, args),
  };
}

function configText(
  node: string,
  fsids: readonly number[],
  { address, stateDirectory, shared = false, others = [], ...options }: RehearsalOptions,
): string {
  const driver = shared ? 'ganesha' : options.driver;
  const addresses = [
    { address, volumes: fsids.map((fsid, index) => ({ fsid, volume: index + 1 })) },
    ...others.map((other, index) => ({
      address: other.address,
      volumes: [{ fsid: other.fsid, volume: fsids.length + index + 1 }],
    })),
  ];
  const tables = addresses.map(
    ({ address: one, volumes }) => `
[[floating_ip]]
address = "${one}/${one.includes(':') ? 64 : 24}"
interface = "eth0"
names = ["nfs.example.com"]
${stateText(stateDirectory, volumes[0]?.volume ?? 1)}${shared ? '' : volumes.map((volume) => volumeText(volume, driver)).join('')}`,
  );
  return `node = "${node}"

[lock_manager]
${driver === undefined ? '' : `driver = "${driver}"\n`}restart = ["start-nfsd"]
${shared ? sharedText : ''}${tables.join('')}`;
}

const sharedText = `
[[shared_filesystem]]
export_id = 1
path = "/gv"
nodes = ["A", "B"]
`;

function stateText(stateDirectory: string | undefined, volume: number): string {
  if (stateDirectory !== undefined) {
    const trust = stateDirectory.startsWith('/mnt/vol') ? 'trust_clients = true\n' : '';
    return `state_directory = "${stateDirectory}"\n${trust}`;
  }
  return `state_directory = "/mnt/state${volume}"

  [[floating_ip.filesystem]]
  device = "/dev/state${volume}"
  mountpoint = "/mnt/state${volume}"
  type = "ext4"
`;
}

function volumeText(
  { fsid, volume }: { readonly fsid: number; readonly volume: number },
  driver?: string,
): string {
  return `
  [[floating_ip.filesystem]]
  fsid = ${fsid}
${driver === 'ganesha' ? `  export_id = ${volume}\n` : ''}  device = "/dev/vol${volume}"
  mountpoint = "/mnt/vol${volume}"
  type = "ext4"

    [[floating_ip.filesystem.export]]
    clients = "*"
    options = "rw,no_subtree_check"
`;
}

function runTool(
  root: string,
  config: string,
  args: readonly string[],
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const program = path.join(projectRoot(), 'bin', 'nlm-failover');
  const { NLM_FAILOVER_RUN: _, ...inherited } = process.env;
  const env = { ...inherited, NLM_FAILOVER_REHEARSAL: root, NLM_FAILOVER_CONFIG: config };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [program, ...args],
      { env, timeout: 60_000, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        resolve({ exitCode: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
      },
    );
  });
}
