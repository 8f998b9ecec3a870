import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ClientHost } from '../client-host.js';
import type { Command, RunOptions, RunResult } from '../command.js';
import { createDisk, type Disk } from '../disk.js';
import type { Guest, Job, Shell } from '../guest.js';
import { guestSettings, openLab } from '../lab.js';
import { inGuest } from '../project-root.js';
import { Server } from '../server.js';

/** What the guests need beside that of every lab. */
export const ctdbCommands = ['ctdb', 'ctdbd', 'ethtool', 'tc'];

/** What all nodes export, and where the records and notes lie. */
export const volume = '/srv/vol';
const state = '/srv/state';

/** A multiple of 10, and long: CTDB needs half a minute to see that a node is dead. A test that has seen what it needs ends it. */
const graceSeconds = 120;

export const nodeNames = ['n1', 'n2', 'n3'] as const;
export type NodeName = (typeof nodeNames)[number];

/** CTDB's public addresses. */
export const publicAddresses = ['10.10.1.1', '10.10.1.2', '10.10.1.3'] as const;

/** A busy machine takes its time. */
const patientSeconds = 600;

/** CTDB's own script for NFS in the place of ours: as packaged, where its "nlockmgr" is rpc.statd; or with nfsd for that. */
export type Stock = 'packaged' | 'lockd';

/** ctdbd, and what it starts that outlives it for a while: the recovery daemon keeps the cluster lock. */
const ctdbPrograms = ['ctdbd', 'ctdb_recoverd', 'ctdb-eventd', 'ctdb_mutex_fcnt'];

const ownAddress = (index: number) => `10.10.1.${31 + index}`;

/** One node of the cluster: namespaces of guest A, with an rpcbind, statd, mountd, nfsd, lockd and ctdbd of its own. Its number is CTDB's. */
export class CtdbNode implements Shell {
  readonly name: NodeName;
  readonly number: number;
  readonly #guest: Guest;
  readonly #stock: Stock | undefined;

  constructor(guest: Guest, number: number, stock?: Stock) {
    this.#guest = guest;
    this.#stock = stock;
    this.number = number;
    this.name = nodeNames[number] ?? 'n1';
  }

  /** Everything but ctdbd. */
  async setUp(): Promise<void> {
    const argv = [
      inGuest('test/lab/sh/ctdb-node'),
      this.name,
      `${ownAddress(this.number)}/24`,
      `fd00:10:10:1::${31 + this.number}/64`,
      String(graceSeconds),
    ];
    await this.#guest.run(this.#stock === undefined ? argv : [...argv, this.#stock]);
  }

  start(command: Command, options: RunOptions = {}): Promise<Job> {
    return this.#guest.startIn(this.name, command, options);
  }

  async run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    return (await this.start(command, options)).result();
  }

  /** What it says; a command that fails, as one does on a busy machine, has often done what it was told to. */
  async ctdb(...words: readonly string[]): Promise<string> {
    return (await this.run(['ctdb', ...words], { reject: false, timeoutSeconds: patientSeconds })).stdout;
  }

  /** Its processes: of these programs, or all. */
  async pids(...programs: readonly string[]): Promise<readonly string[]> {
    const { stdout } = await this.run([inGuest('test/lab/sh/ctdb-pids'), ...programs]);
    return stdout.split('\n').filter((line) => line !== '');
  }

  /** Its power is cut: nothing of it runs or answers. What its lock manager holds stays, as in a cluster file system, until `recovered`. */
  async die(): Promise<void> {
    await this.cable('down');
    // What starts meanwhile, too; some end by themselves.
    for (let pids = await this.pids(); pids.length > 0; pids = await this.pids())
      await this.#guest.run(['kill', '-KILL', ...pids], { reject: false });
    // A script of CTDB that was adding an address has put it up again.
    await this.cable('down');
  }

  /** Its ctdbd is killed, with what that has started; everything else of it lives, and it keeps its addresses. */
  async killCtdbd(): Promise<void> {
    // Some end by themselves as others do.
    await this.run(['kill', '-KILL', ...(await this.pids(...ctdbPrograms))], { reject: false });
  }

  /** Takes its cable out, or puts it in again. */
  async cable(to: 'up' | 'down'): Promise<void> {
    await this.run(['ip', 'link', 'set', 'eth0', to]);
  }

  /** The file system lets the locks of this node go, which is dead. */
  async recovered(): Promise<void> {
    await this.run('echo 0 >/proc/fs/nfsd/threads');
  }

  /**
   * In the next reconfiguration it hangs between its first phase and its second one, in which its lock manager ends: rpcbind, which is asked then, answers
   * nothing. Until the function that this resolves to is called.
   */
  async hang(): Promise<() => Promise<void>> {
    const pids = await this.pids('rpcbind');
    await this.run('printf "%s\\n" "$1" >/run/lab-nft.hang', { args: pids });
    return async () => {
      // It may have died meanwhile.
      await this.run(['kill', '-CONT', ...pids], { reject: false });
    };
  }

  /** Whether it refuses nothing from now on, though it says so. */
  async blind(isBlind: boolean): Promise<void> {
    await this.run(isBlind ? ': >/run/lab-nft.blind' : 'rm -f /run/lab-nft.blind');
  }

  /** What `ctdb serve` has said. */
  async said(): Promise<string> {
    return (await this.run(['cat', '/run/nlm-failover/ctdb/log'], { reject: false })).stdout;
  }
}

export interface CtdbLab {
  readonly a: Server;
  readonly c: ClientHost;
  readonly nodes: readonly [CtdbNode, CtdbNode, CtdbNode];
  readonly volume: Disk;
  readonly directory: string;
  stop(): Promise<void>;
}

/** Starts ctdbd on all nodes at once; resolves when all are healthy. */
export async function startCtdbd({ nodes }: CtdbLab): Promise<void> {
  await Promise.all(nodes.map((node) => node.run(['ctdbd'])));
  await untilHealthy(nodes);
}

export async function untilHealthy(nodes: readonly CtdbNode[]): Promise<void> {
  const [node] = nodes;
  const script = 'until [ "$(ctdb status 2>/dev/null | grep -c "^pnn.* OK")" -eq "$1" ]; do sleep 1; done';
  await node?.run(script, { args: [String(nodes.length)], timeoutSeconds: patientSeconds });
}

/** The number of the node that has an address, as CTDB sees it from this one; -1: none, or it does not say. */
async function ownerOf(node: CtdbNode, address: string): Promise<number> {
  const line = (await node.ctdb('ip', 'all')).split('\n').find((one) => one.startsWith(`${address} `));
  return Number(line?.split(' ')[1] ?? -1);
}

/** Whose an address is, as soon as it is somebody's; `asked`: who is to know. */
export async function nodeOf(
  { nodes }: CtdbLab,
  address: string,
  asked: readonly CtdbNode[] = nodes,
): Promise<CtdbNode> {
  for (; ; await delay(1000))
    for (const one of asked) {
      const owner = nodes[await ownerOf(one, address)];
      if (owner !== undefined) return owner;
    }
}

/** Until all are healthy, and each has an address: CTDB moves one to a node that has none as soon as it is healthy. */
export async function untilBalanced(lab: CtdbLab): Promise<void> {
  await untilHealthy(lab.nodes);
  const isOne = async () =>
    new Set(await Promise.all(publicAddresses.map((one) => nodeOf(lab, one)))).size === lab.nodes.length;
  while (!(await isOne())) await delay(1000);
}

/** Whom CTDB has as the leader of the cluster: the one that has the cluster lock. */
export async function leaderOf({ nodes }: CtdbLab): Promise<CtdbNode> {
  for (; ; await delay(1000))
    for (const node of nodes) {
      const leader = nodes[Number((await node.ctdb('leader')).trim() || -1)];
      if (leader !== undefined) return leader;
    }
}

/** Until an address is another node's, by the word of the others. */
export async function untilMoved(lab: CtdbLab, address: string, from: CtdbNode): Promise<void> {
  const others = lab.nodes.filter((node) => node !== from);
  while ((await nodeOf(lab, address, others)) === from) await delay(500);
}

type Phases = 'started,idle' | 'idle' | 'started' | 'stopped';

/** Resolves when these nodes are all in one generation, beyond `floor`, and in these phases, to the generation; or after so many seconds to what they are at. */
async function lookAtAll(
  { a }: Pick<CtdbLab, 'a'>,
  nodes: readonly CtdbNode[],
  phases: Phases,
  floor: number,
  seconds: number,
): Promise<number | string> {
  const numbers = nodes.map(({ number }) => String(number));
  const notes = [inGuest('test/lab/sh/ctdb-notes'), `${state}/ctdb`];
  const { exitCode, stdout } = await a.run([...notes, String(seconds), String(floor), phases, ...numbers], {
    reject: false,
    timeoutSeconds: seconds + 60,
  });
  return exitCode === 0 ? Number(stdout) : stdout;
}

/** @throws Error with what the nodes have said, where they are not there in ten minutes */
export async function untilAll(
  lab: Pick<CtdbLab, 'a'>,
  nodes: readonly CtdbNode[],
  phases: Phases,
  floor: number,
): Promise<number> {
  const seen = await lookAtAll(lab, nodes, phases, floor, patientSeconds);
  if (typeof seen === 'number') return seen;
  const said = await Promise.all(nodes.map(async (node) => `${node.name}:\n${await node.said()}`));
  throw new Error(`not all are ${phases} beyond generation ${floor}: ${seen}\n${said.join('\n')}`);
}

/** Ends lockd's grace; nfsd's own, which lasts 10 s, nobody can end. */
export async function endGraces(nodes: readonly CtdbNode[]): Promise<void> {
  const script =
    'read -r ended </proc/fs/lockd/nlm_end_grace; case $ended in N*) echo Y >/proc/fs/lockd/nlm_end_grace ;; esac';
  await Promise.all(nodes.map((node) => node.run(script)));
}

/** Whether a reconfiguration has come after the last event that these nodes have heard of. */
async function areCovered(nodes: readonly CtdbNode[]): Promise<boolean> {
  const script =
    'cd /run/nlm-failover/ctdb && { ! read -r moved <moved || grep -qF "$moved" covered; } 2>/dev/null';
  const all = await Promise.all(nodes.map((node) => node.run(script, { reject: false })));
  return all.every(({ exitCode }) => exitCode === 0);
}

/**
 * The end of a reconfiguration, and of those that follow from it: all nodes serve, so many locks are back, and, as nobody else has any to reclaim, the graces
 * are ended. Resolves to the generation. `inode`: of the file that the locks are of, where others come and go.
 * @throws Error where the locks do not come back
 */
export async function untilSettled(
  lab: CtdbLab,
  nodes: readonly CtdbNode[],
  floor: number,
  locks: number,
  inode?: string,
): Promise<number> {
  for (let round = 1; ; round += 1) {
    for (let tries = 0; tries < 120 && !(await areCovered(nodes)); tries += 1) await delay(1000);
    const generation = await untilAll(lab, nodes, 'started,idle', floor);
    const isBack = await lab.a.untilLocked(lab.volume.device, locks, isLast(round) ? 180 : 60, inode);
    if (isBack) await endGraces(nodes);
    // Not always: CTDB may have moved something again meanwhile.
    const last = await lookAtAll(lab, nodes, 'idle', floor, 30);
    if (isBack && last === generation && (await areCovered(nodes))) return generation;
    if (isLast(round)) throw new Error(`generation ${last}: not all of ${locks} locks came back`);
  }
}

const isLast = (round: number) => round > 5;

/** The files of a node, by their path below /etc; `links`: what they point to. */
function filesOf(
  number: number,
  stock?: Stock,
): {
  files: Readonly<Record<string, string>>;
  links: Readonly<Record<string, string>>;
} {
  const ips = publicAddresses.map(
    (address) => `
[[floating_ip]]
address = "${address}/24"
interface = "eth0"
managed_by_others = ["address"]
`,
  );
  return {
    files: {
      ...(stock === undefined
        ? {}
        : {
            'nfs.conf':
              '[statd]\nname = nfscluster\nha-callout = /etc/ctdb/statd-callout\n[sm-notify]\nlift-grace=n\n',
            hosts: `127.0.0.1 localhost\n${publicAddresses[0]} nfscluster\n`,
          }),
      exports: `${volume} *(rw,fsid=1234,no_root_squash,no_subtree_check)\n`,
      'ctdb/ctdb.conf': `[logging]
location = file:/run/ctdb/log
log level = NOTICE
[cluster]
cluster lock = ${state}/ctdb.lock
node address = ${ownAddress(number)}
[legacy]
realtime scheduling = false
`,
      // A monitor starts dozens of programs, and on a busy machine a guest takes minutes for what a node does in a second.
      'ctdb/ctdb.tunables': 'MonitorInterval=60\nEventScriptTimeout=300\nTakeoverTimeout=100\n',
      'ctdb/nodes': nodeNames.map((_, index) => `${ownAddress(index)}\n`).join(''),
      'ctdb/public_addresses': publicAddresses.map((address) => `${address}/24 eth0\n`).join(''),
      'nlm-failover.toml': `node = "${nodeNames[number] ?? ''}"

[state]
directory = "${state}"

[timeouts]
busy = 30
settle = 40
ctdb_wait = 60
ctdb_spread = 60
ctdb_refuse = 180
ctdb_closed = 200

[lock_manager]
driver = "lockd"
restart = ["rpc.nfsd", "-V", "3", "-N", "4", "4"]

[[shared_filesystem]]
fsid = 1234
mountpoint = "${volume}"
nodes = ${JSON.stringify(nodeNames)}
${ips.join('')}`,
    },
    links: Object.fromEntries(
      (stock === undefined ? ['06.nlm-failover.script', '62.nlm-failover.script'] : ['60.nfs.script']).map(
        (name) => [
          `ctdb/events/legacy/${name}`,
          stock === undefined ? inGuest(`callouts/ctdb/${name}`) : `/usr/share/ctdb/events/legacy/${name}`,
        ],
      ),
    ),
  };
}

async function writeNode(directory: string, number: number, stock?: Stock): Promise<void> {
  const { files, links } = filesOf(number, stock);
  const place = (name: string) => join(directory, 'nodes', nodeNames[number] ?? '', name);
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(place(name)), { recursive: true });
    await writeFile(place(name), text);
  }
  for (const [name, target] of Object.entries(links)) {
    await mkdir(dirname(place(name)), { recursive: true });
    await symlink(target, place(name));
  }
}

/** Boots guest A with the three nodes, and guest C with the clients. ctdbd runs nowhere yet. */
export function bootCtdbLab(stock?: Stock): Promise<CtdbLab> {
  return openLab(['A', 'C'], async (directory, holder) => {
    const [data, record] = await Promise.all([
      createDisk(join(directory, 'vol'), 0, 64, 'ext4'),
      createDisk(join(directory, 'state'), 1, 16, 'ext4'),
    ]);
    await Promise.all(nodeNames.map((_, number) => writeNode(directory, number, stock)));
    const a = new Server(holder, guestSettings('A', { megabytes: 1024, directory, disks: [data, record] }));
    const c = new ClientHost(holder, guestSettings('C', { megabytes: 384, directory }));
    await Promise.all([a, c].map((guest: Guest) => guest.boot()));
    const script = `set -e
      modprobe -a macvlan sch_ingress cls_flower act_gact
      cp "$5" /usr/sbin/nft
      [ -z "$6" ] || cp "$6" /usr/sbin/service
      mkdir -p "$3" "$4"
      mount "$1" "$3"
      mount "$2" "$4"
      chmod 1777 "$3"`;
    const service = stock === undefined ? '' : inGuest('test/lab/sh/ctdb-service');
    const args = [data.device, record.device, volume, state, inGuest('test/lab/sh/nft'), service];
    await a.run(script, { args });
    const nodes = [new CtdbNode(a, 0, stock), new CtdbNode(a, 1, stock), new CtdbNode(a, 2, stock)] as const;
    await Promise.all(nodes.map((node) => node.setUp()));
    return { a, c, nodes, volume: data };
  });
}
