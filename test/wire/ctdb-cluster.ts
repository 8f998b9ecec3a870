import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readNotes } from '../../src/ctdb/note-files.js';
import { openRecord } from '../../src/record/record.js';
import type { RehearsalNode } from '../helpers/rehearsal-site.js';
import { addresses, type CtdbSite } from '../ctdb/helpers/ctdb-site.js';
import type { Netns } from '../helpers/netns.js';
import { servingJournal } from '../../src/rundir/serving.js';
import { projectRoot } from '../lab/project-root.js';
import { waitFor } from './wait-for.js';

// The real ctdbd of each node of a rehearsed site, in its own test mode (ctdb tests/local_daemons.sh).

const [moving, staying] = addresses;

/** Stands for 10.interface: addresses come and go in a rehearsed node. */
const interfaceScript = `#!/bin/sh
have=$NLM_FAILOVER_REHEARSAL/have
mkdir -p "$have"
case $1 in
init | startup) rm -f "$have"/* ;;
takeip) : >"$have/$3" ;;
releaseip) rm -f "$have/$3" ;;
*) exit 0 ;;
esac
list=
for file in "$have"/*; do
  [ -e "$file" ] || continue
  list=$list\${list:+,}'{"ifname":"eth0","addr_info":[{"local":"'\${file##*/}'","prefixlen":24}]}'
done
printf '[%s]' "$list" >"$NLM_FAILOVER_REHEARSAL/addresses.json.new"
mv "$NLM_FAILOVER_REHEARSAL/addresses.json.new" "$NLM_FAILOVER_REHEARSAL/addresses.json"
`;

/**
 * Stands for a script of somebody else, between ours: what lies in CTDB_BASE/trap.EVENT is done once: "fail", or "hang" until CTDB_BASE/go is
 * there.
 */
const trapScript = `#!/bin/sh
trap=$CTDB_BASE/trap.$1
[ -e "$trap" ] || exit 0
mv "$trap" "$trap.taken"
case $(cat "$trap.taken") in
fail) exit 1 ;;
hang) until [ -e "$CTDB_BASE/go" ]; do sleep 0.1; done ;;
esac
`;

export interface Cluster {
  /** Asks or tells the ctdbd of a node. */
  readonly ctdb: (node: number, ...words: string[]) => Promise<string>;
  /** CTDB_BASE of a node. */
  readonly base: (node: number) => string;
  /** Starts the ctdbd of a node, anew. */
  readonly start: (node: number) => void;
  /** Waits until all of them are healthy. */
  readonly healthy: () => Promise<void>;
  /** Which node CTDB has an address on, as the ctdbd of `asked` says. */
  readonly has: (address: string, asked?: number) => Promise<RehearsalNode | undefined>;
  /** Waits until an address is recorded where CTDB has it, and there alone, by the owner of its record. */
  readonly recordedWhereItIs: (address: string) => Promise<void>;
  /** Waits until all have started, and that they are out of their graces. */
  readonly endGraces: () => Promise<void>;
}

/** ctdbd of each node, with its files below the site; `tunables`: as ctdb.tunables has them. */
export function startCtdb(netns: Netns, site: CtdbSite, tunables = ''): Cluster {
  const base = (node: number) => path.join(site.directory, `ctdb.${node}`);
  const env = (node: number) => ({ CTDB_TEST_MODE: '1', CTDB_BASE: base(node) });
  const start = (number: number) => {
    const node = site.nodes[number];
    if (node === undefined) throw new Error(`no node ${number}`);
    netns.start('ctdbd', ['-i'], {
      ...env(number),
      NLM_FAILOVER_REHEARSAL: node.root,
      NLM_FAILOVER_CONFIG: node.config,
    });
  };
  for (const number of site.nodes.keys()) {
    const legacy = path.join(base(number), 'events/legacy');
    mkdirSync(legacy, { recursive: true });
    for (const directory of ['run', 'var', 'db/volatile', 'db/persistent', 'db/state'])
      mkdirSync(path.join(base(number), directory), { recursive: true });
    const write = (file: string, text: string) => writeFileSync(path.join(base(number), file), text);
    write(
      'ctdb.conf',
      `[logging]
location = file:${base(number)}/log
[cluster]
cluster lock = ${site.directory}/ctdb.lock
node address = 127.0.0.1${number + 1}
[database]
volatile database directory = ${base(number)}/db/volatile
persistent database directory = ${base(number)}/db/persistent
state database directory = ${base(number)}/db/state
[legacy]
realtime scheduling = false
`,
    );
    write('nodes', '127.0.0.11\n127.0.0.12\n');
    write('public_addresses', `${moving}/24 lo\n${staying}/24 lo\n`);
    write('ctdb.tunables', tunables);
    write('events/legacy/10.interface.script', interfaceScript);
    write('events/legacy/61.trap.script', trapScript);
    for (const name of ['10.interface.script', '61.trap.script']) chmodSync(path.join(legacy, name), 0o755);
    for (const name of ['06.nlm-failover.script', '62.nlm-failover.script'])
      symlinkSync(path.join(projectRoot(), 'callouts/ctdb', name), path.join(legacy, name));
    start(number);
  }
  const ctdb = async (node: number, ...words: string[]) => {
    const program = netns.start('ctdb', words, env(node));
    await program.exited;
    return program.output();
  };
  const isOk = async () =>
    ((await ctdb(0, 'status')).match(/^pnn:\d+ \S+ +OK/gm) ?? []).length === site.nodes.length;
  const has = async (address: string, asked = 0) => {
    const [, number = ''] =
      new RegExp(`^${address.replaceAll('.', '\\.')} (-?\\d+)`, 'm').exec(await ctdb(asked, 'ip')) ?? [];
    return site.nodes[Number(number)];
  };
  return {
    ctdb,
    base,
    start,
    has,
    healthy: () => waitFor('all nodes to be healthy', isOk, 500, 500),
    // CTDB may move them by itself, as it balances.
    recordedWhereItIs: (address) =>
      waitFor(
        `${address} to be recorded where it is`,
        async () => {
          const now = await has(address);
          const recording = site.nodes.filter((node) => servingJournal(runOf(node), address) !== undefined);
          return recording.length === 1 && recording[0] === now && owner(site, address) === now?.name;
        },
        500,
      ),
    endGraces: async () => {
      // Again and again: CTDB may move something meanwhile, and who starts then is in a grace of its own.
      await waitFor('all to have started, and the graces to be over', async () => {
        const phases = phasesOf(site);
        for (const [number, node] of site.nodes.entries())
          if (phases.get(number) === 'started') node.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
        return site.nodes.every((_, number) => phases.get(number) === 'idle');
      });
    },
  };
}

export const runOf = (node: RehearsalNode) => path.join(node.root, 'run/nlm-failover');

export function owner(site: CtdbSite, address: string): string | undefined {
  const directory = path.join(site.shared, `sm_${address}`);
  const record = openRecord({ directory, node: 'A', machine: undefined, create: false });
  try {
    return record?.ownership().owner;
  } finally {
    record?.close();
  }
}

/** By the nodes' numbers. */
function phasesOf(site: CtdbSite): ReadonlyMap<number, string> {
  const notes = [...readNotes(path.join(site.shared, 'ctdb'))];
  return new Map(notes.map(([number, { phase }]) => [number, phase]));
}
