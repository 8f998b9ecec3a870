// A rehearsed site in a known state, its copies, and what can be seen of them from outside.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runHere as runProgram } from '../helpers/run-here.js';
import { openRecord } from '../../src/record/record.js';
import type { RehearsalSite } from '../helpers/rehearsal-site.js';

export type NodeName = 'A' | 'B';

/** Everything of a site that an operator, a client or the other node can see; times left out. */
export interface SiteState {
  readonly nodes: Readonly<Record<NodeName, NodeState>>;
  readonly owner: string | undefined;
  readonly released: boolean;
  readonly clients: readonly string[];
  readonly notNotified: readonly string[];
  /** Names in the record's directory, and the mode of the directory. */
  readonly record: readonly string[];
}

export interface NodeState {
  readonly mounts: readonly string[];
  readonly exports: readonly string[];
  readonly addresses: readonly string[];
  /** Links in serving/ and sync/, temporary ones too. */
  readonly links: readonly string[];
  readonly locks: string;
  readonly nfsd: string;
  readonly inGrace: boolean;
}

/** A copy in a directory of its own, links into the site turned to the copy. Not cpSync, which looks at each parent of each file. */
export function copySite(from: string): string {
  const to = mkdtempSync(path.join(tmpdir(), 'nlm-failover-fault-'));
  copyBelow(from, to, (target) => target.replace(from, to));
  return to;
}

function copyBelow(from: string, to: string, turned: (target: string) => string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isSymbolicLink()) symlinkSync(turned(readlinkSync(source)), target);
    else if (entry.isFile()) copyFileSync(source, target);
    else if (entry.isDirectory()) {
      mkdirSync(target);
      copyBelow(source, target, turned);
      chmodSync(target, lstatSync(source).mode);
    } else throw new Error(`${source} is no file, directory or link`);
  }
}

export function removeSite(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

export function readState(
  directory: string,
  { address }: RehearsalSite,
  shared: string | undefined,
): SiteState {
  const record = path.join(
    shared === undefined ? path.join(directory, 'disks/state1') : path.join(directory, shared),
    `sm_${address}`,
  );
  const nodes = { A: nodeState(directory, 'A'), B: nodeState(directory, 'B') };
  const opened = existsSync(path.join(record, 'monitors.db'))
    ? openRecord({ directory: record, node: 'A', create: false })
    : undefined;
  try {
    opened?.fold();
    const ownership = opened?.ownership();
    const bad = opened?.badLines() ?? [];
    if (bad.length > 0) throw new Error(`bad lines in the journal: ${JSON.stringify(bad)}`);
    return {
      nodes,
      owner: ownership?.owner,
      released: ownership?.released ?? true,
      clients: (opened?.clients() ?? []).map(({ client, fsid }) => `${client} ${fsid}`),
      notNotified: opened?.toNotify() ?? [],
      record: existsSync(record)
        ? [(lstatSync(record).mode & 0o7777).toString(8), ...readdirSync(record).toSorted()]
        : [],
    };
  } finally {
    opened?.close();
  }
}

function nodeState(directory: string, node: NodeName): NodeState {
  const read = (file: string) => readFileSync(path.join(directory, node, file), 'utf8');
  const lines = (file: string) =>
    read(file)
      .split('\n')
      .filter((line) => line !== '');
  const links = ['serving', 'sync', 'frozen'].flatMap((kind) => {
    const place = path.join(directory, node, 'run/nlm-failover', kind);
    return existsSync(place)
      ? readdirSync(place).map((name) => `${kind}/${name.startsWith('.') ? '(temporary)' : name}`)
      : [];
  });
  const rows = JSON.parse(read('addresses.json')) as { addr_info: { local: string }[] }[];
  return {
    mounts: lines('proc/self/mountinfo')
      .map((line) => line.split(' ')[4] ?? '')
      .toSorted(),
    exports: lines('var/lib/nfs/etab')
      .map((line) => line.split('\t')[0] ?? '')
      .toSorted(),
    addresses: rows.flatMap((row) => row.addr_info.map(({ local }) => local)),
    links: links.toSorted(),
    locks: read('proc/locks'),
    nfsd: read('proc/fs/nfsd/threads').trim(),
    inGrace: read('proc/fs/lockd/nlm_end_grace').startsWith('N'),
  };
}

/** What must hold at every moment, crashed or not: null, or the sentence that is broken. */
export function brokenPromise({ nodes }: SiteState): string | null {
  for (const [name, node] of Object.entries(nodes)) {
    const unmounted = node.exports.filter((one) => !node.mounts.includes(one));
    if (unmounted.length > 0) return `${name} exports what is not mounted: ${unmounted.join(', ')}`;
    for (const address of node.addresses) {
      if (!node.links.includes(`serving/${address}`)) return `${name} has ${address} up, and does not record`;
      if (node.exports.length === 0) return `${name} has ${address} up, and exports nothing`;
      if (node.nfsd === '0') return `${name} has ${address} up, and nfsd is down`;
    }
  }
  return null;
}

export interface Ended {
  readonly exitCode: number;
  readonly output: string;
}

/** See test/helpers/run-here.ts. */
export async function runHere(directory: string, node: NodeName, args: readonly string[]): Promise<Ended> {
  const root = path.join(directory, node);
  return runProgram(root, path.join(root, 'etc/nlm-failover.toml'), [...args, '--json']);
}
