import type { RunResult } from './command.js';
import type { DataDisk, Lab, StateDisk } from './lab.js';
import type { Server } from './server.js';
import { inGuest } from './project-root.js';
import type { LabSite } from './sites/lab-site.js';

/** A line of `--json`: a step, or the last one, the result. */
export interface ReportLine {
  readonly step?: string;
  readonly fsid?: string;
  readonly state?: 'done' | 'skipped' | 'failed';
  readonly ms?: number;
  readonly detail?: string;
  readonly result?: string;
  readonly clients?: { readonly notified: number; readonly notNotified: number };
  readonly waiting?: Pick<AuditLine, 'clients' | 'locks' | 'graceLeft'>;
  readonly audit?: AuditLine;
  /** Of the last line of a command that failed. */
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
}

/** Of the last line of a takeover that waited; the whole line of audit. */
export interface AuditLine {
  readonly state: string;
  readonly comparedAt?: string | null;
  readonly graceLeft?: number;
  readonly clients?: { readonly listed: number; readonly notified: number; readonly back: number };
  readonly locks?: { readonly held: number; readonly reclaimed: number } | null;
  readonly grace?: { readonly ended: boolean; readonly why: string };
  readonly findings?: readonly {
    readonly verdict: string;
    readonly path?: string;
    readonly clients: readonly string[];
    readonly acknowledged: string | null;
  }[];
}

export interface ToolResult extends RunResult {
  readonly lines: readonly ReportLine[];
}

export const callout = inGuest('callouts/ha-callout');
export const tool = inGuest('bin/nlm-failover');

export interface SiteIp {
  readonly address: string;
  readonly filesystems: readonly { readonly disk: DataDisk; readonly fsid: number }[];
  /** On the volume of the first one, whose clients are trusted. Default: a state volume, that of the first disk. */
  readonly stateDirectory?: string;
}

/** /mnt/vol1 on every server. */
export function mountpointOf(disk: string): string {
  return `/mnt/${disk}`;
}

export type Driver = 'lockd' | 'lockd-netns' | 'ganesha' | 'auto';

/** How an instance joins the network; veth: into a bridge that the server gets. */
export type Link = 'macvlan' | 'ipvlan' | 'veth';

export interface SiteOptions {
  readonly driver?: Driver;
  readonly link?: Link;
  /** Of an instance: 10 at least. Default: the lab's. */
  readonly graceSeconds?: number;
  /** How nfsd is started anew; default: as the lab's servers start it. */
  readonly restart?: readonly string[];
  /** Whether the cluster manager mounts, exports and has the address up. */
  readonly managedByOthers?: boolean;
  /** The fixed ports of an instance's daemons; default: as they come. */
  readonly ports?: Readonly<Record<'mountd' | 'statd' | 'lockd', number>>;
}

const bridge = 'br0';

/** What a configuration needs to know of a lab. */
export interface SiteOfLab {
  readonly disks: Partial<Lab['disks']>;
  readonly graceSeconds: number;
  readonly site: LabSite;
}

/**
 * Writes /etc/nlm-failover.toml on a server and the other files of the site, and makes its mount points, and its bridge where it
 * needs one. Before its services start.
 */
export async function configure(
  lab: SiteOfLab,
  server: Server,
  ips: readonly SiteIp[],
  {
    driver = 'lockd',
    link = 'macvlan',
    graceSeconds = lab.graceSeconds,
    ports,
    restart = server.restartCommand,
    managedByOthers = false,
  }: SiteOptions = {},
): Promise<void> {
  if (link === 'veth') {
    // As a host with virtual machines has it: the interface is a port of the bridge, which has the addresses.
    const script = `set -e
      ip link add ${bridge} type bridge forward_delay 0
      ip link set ${bridge} up
      ip addr flush dev vec0
      ip link set vec0 master ${bridge}
      ip addr add "$1/24" dev ${bridge}
      ip -6 addr add "$2/64" dev ${bridge} nodad`;
    await server.run(script, { args: [server.address, server.address6] });
  }
  const text = ips.map(
    (ip) => `
[[floating_ip]]
address = "${ip.address}/${ip.address.includes(':') ? 64 : 24}"
interface = "${link === 'veth' ? bridge : 'vec0'}"
names = ["nfs.example.com"]
${managedByOthers ? 'managed_by_others = ["mount", "export", "address"]\n' : ''}${stateText(lab, ip)}${ip.filesystems.map((filesystem) => filesystemText(lab, filesystem, driver)).join('')}`,
  );
  const fixed = Object.entries(ports ?? {}).map(([daemon, port]) => `${daemon}_port = ${port}\n`);
  // Four labs on two CPUs: a write under way when exports are flushed keeps its file open in nfsd's cache for seconds (Linux
  // fs/nfsd/filecache.c, nfsd_file_gc); and a daemon that starts in 0.3 s has taken more than the 15 s of `settle`.
  const file = `[timeouts]
busy = 30
settle = 40

[lock_manager]
driver = "${driver}"
restart = ${JSON.stringify(restart)}
grace = ${graceSeconds}
link = "${link}"
${link === 'veth' ? `bridge = "${bridge}"\n` : ''}${fixed.join('')}${text.join('')}`;
  const { site } = lab;
  const names = ips.flatMap(({ filesystems }) => filesystems.map(({ disk }) => disk));
  const files = { ...site.serverFiles(server.address), '/etc/nlm-failover.toml': file };
  const directories = [...ips.map((ip) => mountpointOf(stateDisk(ip))), ...site.directories(names)];
  const links = names.flatMap((name) => Object.entries(site.links(name, lab.disks[name]?.device ?? '')));
  const script = `set -e
    above() { above=\${1%/*}; mkdir -p "\${above:-/}"; }
    while [ "$1" != -- ]; do
      above "$1"
      printf %s "$2" >"$1"
      shift 2
    done
    shift
    while [ "$1" != -- ]; do
      mkdir -p "$1"
      shift
    done
    shift
    while [ "$#" -gt 0 ]; do
      above "$1"
      ln -sfn "$2" "$1"
      shift 2
    done`;
  await server.run(script, {
    args: [...Object.entries(files).flat(), '--', ...directories, '--', ...links.flat()],
  });
}

/** What clients, who may be nobody, find on fresh volumes: the exported directory, in which everybody may write. Once, on one server. */
export async function prepareVolumes(lab: Lab, server: Server, ips: readonly SiteIp[]): Promise<void> {
  const { path } = lab.site.traits;
  const devices = ips.flatMap(({ filesystems }) => filesystems.map(({ disk }) => lab.disks[disk].device));
  const script = `set -e
    mkdir -p /run/lab/volume
    made=$1
    shift
    for device; do
      mount "$device" /run/lab/volume
      mkdir -p "/run/lab/volume/$made"
      chmod 1777 /run/lab/volume "/run/lab/volume/$made"
      umount /run/lab/volume
    done`;
  await server.run(script, { args: [path === 'directory' ? 'data' : '', ...devices] });
}

/** The disk that has the record of an address, unless its `stateDirectory` says otherwise. */
export function stateDisk({ filesystems }: SiteIp): StateDisk {
  return filesystems[0]?.disk === 'vol3' ? 'state3' : filesystems[0]?.disk === 'vol2' ? 'state2' : 'state1';
}

/** The directory of an address's record. */
export function recordOf(ip: SiteIp): string {
  return `${ip.stateDirectory ?? mountpointOf(stateDisk(ip))}/sm_${ip.address}`;
}

function stateText({ disks }: SiteOfLab, ip: SiteIp): string {
  if (ip.stateDirectory !== undefined)
    return `state_directory = "${ip.stateDirectory}"\ntrust_clients = true\n`;
  const disk = stateDisk(ip);
  return `state_directory = "${mountpointOf(disk)}"

  [[floating_ip.filesystem]]
  device = "${disks[disk]?.device ?? ''}"
  mountpoint = "${mountpointOf(disk)}"
  type = "ext4"
`;
}

function filesystemText(
  { disks, site }: SiteOfLab,
  { disk: name, fsid }: SiteIp['filesystems'][number],
  driver: Driver,
): string {
  const disk = disks[name];
  if (disk === undefined) throw new Error(`this lab has no disk ${name}`);
  return site.filesystemText(name, site.device(disk, name), fsid, driver === 'ganesha');
}

/**
 * Runs `nlm-failover ... --json` on a server; throws unless it exits with 0 or `reject` is false. A takeover does not wait
 * for the reclaims: see nlmFailoverWaiting.
 */
export async function nlmFailover(
  server: Server,
  args: readonly string[],
  reject = true,
): Promise<ToolResult> {
  return nlmFailoverWaiting(server, args[0] === 'takeover' ? [...args, '--no-wait'] : args, reject);
}

/** The same as a person would call it. */
export async function nlmFailoverWaiting(
  server: Server,
  args: readonly string[],
  reject = true,
): Promise<ToolResult> {
  const result = await server.run([server.tool, ...args, '--json'], { reject, timeoutSeconds: 300 });
  const lines = result.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ReportLine);
  return { ...result, lines };
}

/** The state and time of each step, for a test's log. */
export function stepTimes({ lines }: ToolResult): string {
  return lines
    .filter((line) => line.step !== undefined)
    .map(({ step, state, ms }) => `${step} ${state === 'done' ? `${ms} ms` : state}`)
    .join(', ');
}
