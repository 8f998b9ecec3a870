/**
 * How each command grows with the number of recorded clients, none of whom answers: wall-clock and CPU time, each as what it is of the size before
 * too, and the most memory that it or a process of its own had. On the rehearsal host, with the real command, record and packets:
 *
 *     node build/test/bench/growth.js [CLIENTS...]      default: 1000 10000 100000 1000000
 *
 * "fold" is the first status after all of them were written to the journal. "takeover" is what B-2 and B-3 do not take of the whole command; it
 * ends without waiting for reclaims. B-3 tries for 20 s. "audit" compares after that grace. "rebuild" makes the record anew.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { formatLine } from '../../src/record/journal/journal.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { jsonLines } from '../helpers/rehearsal-steps.js';
import { projectRoot } from '../lab/project-root.js';

const address = '127.77.60.1';
const deadlineSeconds = 20;

interface Measured {
  readonly ms: number;
  /** Of the whole command; undefined: of a part of it that is not known. */
  readonly cpuMs: number | undefined;
  /** Bytes; undefined: it was killed. */
  readonly peak: number | undefined;
}

interface Ended extends Measured {
  readonly exitCode: number;
  readonly output: string;
}

/** Clients of the loopback network in no order, as those of a site are. */
function clientName(index: number): string {
  const mixed = (Math.imul(index, 0x9e3779b1) >>> 0) % (1 << 24);
  return `127.${mixed >>> 16}.${(mixed >>> 8) & 255}.${mixed & 255}`;
}

function writeClients(journal: string, count: number): void {
  const names = new Set<string>();
  let lines = '';
  for (let index = 1; names.size < count; index += 1) {
    const client = clientName(index);
    if (names.has(client)) continue;
    names.add(client);
    lines += formatLine({ kind: 'add-client', uptime: 1e6, client, myName: 'A', fsid: undefined });
    if (lines.length < 1 << 20 && names.size < count) continue;
    appendFileSync(journal, lines);
    lines = '';
  }
}

async function run(node: RehearsalNode, directory: string, args: readonly string[]): Promise<Ended> {
  const [peaks, output] = [path.join(directory, 'peaks'), path.join(directory, 'output')];
  rmSync(peaks, { force: true });
  const out = openSync(output, 'w');
  const { NLM_FAILOVER_RUN: _, ...inherited } = process.env;
  const start = performance.now();
  const child = spawn(process.execPath, [path.join(projectRoot(), 'bin/nlm-failover'), ...args], {
    env: {
      ...inherited,
      NLM_FAILOVER_REHEARSAL: node.root,
      NLM_FAILOVER_CONFIG: node.config,
      NODE_OPTIONS: `--import=${path.join(import.meta.dirname, 'peak.js')}`,
      PEAK_FILE: peaks,
    },
    stdio: ['ignore', out, 'inherit'],
  });
  const exitCode = await new Promise<number>((resolve) => {
    child.once('close', (code, signal) => resolve(signal === null ? (code ?? 1) : 137));
  });
  const ms = performance.now() - start;
  closeSync(out);
  const said = exitCode === 137 ? [] : readFileSync(peaks, 'utf8').trim().split('\n');
  const numbers = said.map((line) => line.split(' ').map(Number));
  const peak = exitCode === 137 ? undefined : Math.max(...numbers.map(([bytes = 0]) => bytes));
  const cpuMs = numbers.reduce((sum, [, own = 0]) => sum + own, 0);
  // What is listed is as long as the record; of it nothing is read.
  return { ms, cpuMs, peak, exitCode, output: args[0] === 'clients' ? '' : readFileSync(output, 'utf8') };
}

async function measure(count: number): Promise<Map<string, Measured>> {
  const site = makeRehearsal({ address, rpcbindPort: 9, stateDirectory: '/shared_storage' });
  const rows = new Map<string, Measured>();
  try {
    const storage = path.join(site.directory, 'storage');
    mkdirSync(storage, { mode: 0o755 });
    for (const node of [site.a, site.b]) node.link('/shared_storage', storage);
    const expect = async (
      name: string,
      node: RehearsalNode,
      args: readonly string[],
      codes: readonly number[],
    ): Promise<Ended> => {
      const ended = await run(node, site.directory, args);
      if (!codes.includes(ended.exitCode))
        console.log(
          `${count} ${args.join(' ')}: exit code ${ended.exitCode}\n${ended.output.slice(0, 2000)}`,
        );
      rows.set(name, ended);
      return ended;
    };
    await expect('', site.a, ['takeover', address, '--no-wait'], [0]);
    rows.delete('');
    writeClients(path.join(storage, `sm_${address}`, 'journal.A'), count);
    await expect('fold', site.a, ['status'], [0]);
    await expect('status', site.a, ['status'], [0]);
    await expect('clients', site.a, ['clients'], [0]);
    await expect('clients --json', site.a, ['clients', '--json'], [0]);
    await expect('release', site.a, ['release', address], [0]);
    const taken = await expect(
      'takeover',
      site.b,
      ['takeover', address, '--no-wait', '--json', '--notify-deadline', String(deadlineSeconds)],
      [5],
    );
    const steps = jsonLines(taken.output);
    let rest = taken.ms;
    for (const name of ['B-2', 'B-3']) {
      const ms = steps.find(({ step }) => step === name)?.ms ?? Number.NaN;
      rows.set(name, { ms, cpuMs: undefined, peak: taken.peak });
      rest -= ms;
    }
    rows.set('takeover', { ms: rest, cpuMs: undefined, peak: taken.peak });
    writeFileSync(site.b.path('/proc/fs/lockd/nlm_end_grace'), 'Y\n');
    await expect('audit', site.b, ['audit', address], [0, 6]);
    await expect('status after it', site.b, ['status'], [0]);
    await expect('rebuild', site.b, ['rebuild', '--force', address], [0]);
    return rows;
  } finally {
    site.remove();
  }
}

function seconds(ms: number, before: number | undefined): string {
  return `${(ms / 1000).toFixed(2)} s${before === undefined ? '' : ` (${(ms / before).toFixed(1)})`}`;
}

function cell({ ms, cpuMs, peak }: Measured, before: Measured | undefined): string {
  const cpu = cpuMs === undefined ? '' : `, CPU ${seconds(cpuMs, before?.cpuMs)}`;
  return `${seconds(ms, before?.ms)}${cpu}, ${peak === undefined ? 'KILLED' : `${Math.round(peak / 2 ** 20)} MiB`}`;
}

const given = process.argv.slice(2).map(Number);
let before: ReadonlyMap<string, Measured> | undefined;
for (const count of given.length > 0 ? given : [1_000, 10_000, 100_000, 1_000_000]) {
  const rows = await measure(count);
  console.log(`${count} clients`);
  for (const [name, measured] of rows)
    console.log(`  ${name.padEnd(16)}${cell(measured, before?.get(name))}`);
  before = rows;
}
