/**
 * How much longer it takes until the last of many living clients has been notified, where there are ten times as many dead ones in the
 * record: two takeovers in one run, by the real command on the rehearsal host, on the farm of the notify bench. Needs root:
 *
 *     node build/test/bench/dead.js [LIVING [DEAD]]      default: 10000 100000
 *
 * The time is that from the end of B-4 on. The dead were seen in an earlier epoch; they answer nothing.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { formatLine } from '../../src/record/journal/journal.js';
import { type Netns, netnsUnavailable, type Program, withNetns } from '../helpers/netns.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { projectRoot } from '../lab/project-root.js';

const address = '127.77.61.1';

function command(netns: Netns, node: RehearsalNode, args: readonly string[]): Program {
  return netns.start(process.execPath, [join(projectRoot(), 'bin/nlm-failover'), ...args, '--json'], {
    NLM_FAILOVER_REHEARSAL: node.root,
    NLM_FAILOVER_CONFIG: node.config,
  });
}

async function ended(program: Program, codes: readonly number[]): Promise<void> {
  const code = await program.exited;
  if (!codes.includes(code)) throw new Error(`ended with ${code}: ${program.output().slice(0, 2000)}`);
}

function record(journal: string, clients: readonly string[]): void {
  for (const client of clients)
    appendFileSync(
      journal,
      formatLine({ kind: 'add-client', uptime: 1e6, client, myName: '-', fsid: undefined }),
    );
}

/** Milliseconds from the end of B-4 until the last of the living was notified. */
async function measure(living: number, dead: number): Promise<number> {
  const ends: (() => Promise<void>)[] = [];
  const site = makeRehearsal({ address, rpcbindPort: 111, stateDirectory: '/shared_storage' });
  try {
    const storage = join(site.directory, 'storage');
    mkdirSync(storage, { mode: 0o755 });
    for (const node of [site.a, site.b]) node.link('/shared_storage', storage);
    const journalOf = (node: 'A' | 'B') => join(storage, `sm_${address}`, `journal.${node}`);
    const netns = await withNetns({ teardown: (end) => ends.push(end) });
    const farm = netns.start(process.execPath, [join(import.meta.dirname, 'notify-farm.js'), String(living)]);
    const [, addresses = ''] = await farm.saw(/^ready (.*)\n/m);
    const take = ['takeover', address, '--fenced', '--no-wait', '--notify-deadline'];
    await ended(command(netns, site.a, [...take, '0']), [0]);
    // Before the living, as text has it.
    record(
      journalOf('A'),
      Array.from(
        { length: dead },
        (_, index) => `127.${index < 60_000 ? 0 : 2}.${1 + ((index % 60_000) >> 8)}.${index & 255}`,
      ),
    );
    await ended(command(netns, site.b, [...take, '0']), [dead > 0 ? 5 : 0]);
    record(journalOf('B'), addresses.split(' '));
    const taking = command(netns, site.a, [...take, '120']);
    await taking.saw(/"step":"B-4"/);
    const start = performance.now();
    const all = await Promise.race([farm.saw(/^all$/m), taking.exited]);
    if (typeof all === 'number') throw new Error(`not all were notified: ${taking.output().slice(-2000)}`);
    // The command goes on with the dead; it ends with the namespace.
    return performance.now() - start;
  } finally {
    for (const end of ends) await end();
    site.remove();
  }
}

const missing = netnsUnavailable();
if (missing !== undefined) throw new Error(`this measurement ${missing}`);
const [living = 10_000, dead = 10 * living] = process.argv.slice(2).map(Number);
const alone = await measure(living, 0);
const beside = await measure(living, dead);
console.log(`${living} living alone: ${alone.toFixed(0)} ms`);
console.log(
  `${living} living beside ${dead} dead: ${beside.toFixed(0)} ms (${(beside / alone).toFixed(2)} times)`,
);
