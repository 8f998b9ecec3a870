/**
 * What the start of a command costs: CPU (user and system, its children's too) and time beside `node -e 0`, interleaved
 * in one run; prints a table. The `status` is that of a node where no floating IP can be reached, on this machine;
 * the others are on a rehearsal host, without clients. Needs bash:
 *
 *     node build/test/bench/start.js [RUNS [CHECKOUT...]]      default: 31, this checkout
 *
 * Where NODE_EXTRA_CA_CERTS is set, Node reads those certificates at every start: that makes all of them slower, and the ratios smaller.
 * Then there is a second table, without.
 *
 * Further checkouts, each built, are measured in the same run: how a change is seen on a machine that does other things too.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeRehearsal, type RehearsalSite } from '../helpers/rehearsal-site.js';
import { projectRoot } from '../lab/project-root.js';
import { timer } from './bash-timer.js';

const [runs = '31', ...others] = process.argv.slice(2);
const address = '127.77.9.1';

interface Row {
  readonly label: string;
  readonly env: Readonly<Record<string, string>>;
  readonly argv: readonly string[];
}

/** Of one checkout: what is run in each round, in this order. The rehearsed node serves neither before nor after. `also`: in its environment. */
function rowsOf(site: RehearsalSite, checkout: string, also: Row['env']): Row[] {
  const { a, directory } = site;
  const [bin, nowhere] = [path.join(checkout, 'bin/nlm-failover'), path.join(directory, 'nowhere.toml')];
  const rehearsed = { NLM_FAILOVER_REHEARSAL: a.root, NLM_FAILOVER_CONFIG: a.config };
  const tool = (label: string, env: Row['env'], ...args: string[]): Row => {
    return { label, env: { ...env, ...also }, argv: [process.execPath, bin, ...args] };
  };
  writeFileSync(nowhere, a.read('/etc/nlm-failover.toml').replaceAll('"/mnt/', '"/nowhere/'));
  mkdirSync(path.join(directory, 'run'), { recursive: true });
  return [
    tool('--version', {}, '--version'),
    tool(
      'status, nothing reachable',
      {
        NLM_FAILOVER_CONFIG: nowhere,
        NLM_FAILOVER_RUN: path.join(directory, 'run'),
      },
      'status',
    ),
    tool('takeover', rehearsed, 'takeover', address),
    tool('status, served here', rehearsed, 'status'),
    tool('release', rehearsed, 'release', address),
  ];
}

function measure(rows: readonly Row[]): { cpu: number; elapsed: number }[] {
  const words = rows.flatMap(({ env, argv }, index) => [
    ...(index === 0 ? [] : ['--']),
    'env',
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ...argv,
  ]);
  const { NLM_FAILOVER_RUN: _, ...env } = process.env;
  const output = execFileSync('bash', ['-c', timer, 'bash', runs, ...words], { env, encoding: 'utf8' });
  const samples = rows.map(() => ({ cpu: [] as number[], elapsed: [] as number[] }));
  for (const line of output.split('\n').filter((one) => one !== '')) {
    const [index = 0, user = 0, system = 0, elapsed = 0] = line.split(' ').map(Number);
    samples[index]?.cpu.push((user + system) * 1000);
    samples[index]?.elapsed.push(elapsed * 1000);
  }
  return samples.map(({ cpu, elapsed }) => ({ cpu: median(cpu), elapsed: median(elapsed) }));
}

function median(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN;
}

const checkouts = [projectRoot(), ...others.map((other) => path.resolve(other))].map((checkout) => ({
  checkout,
  site: makeRehearsal({ address, rpcbindPort: 1 }),
}));
const certificates = process.env['NODE_EXTRA_CA_CERTS'] ?? '';
const tables = [
  { title: certificates === '' ? '' : `with NODE_EXTRA_CA_CERTS=${certificates}`, also: {} },
  ...(certificates === '' ? [] : [{ title: 'without it', also: { NODE_EXTRA_CA_CERTS: '' } }]),
].map(({ title, also }) => {
  const node = { label: 'node -e 0', env: also, argv: [process.execPath, '-e', '0'] };
  const parts = checkouts.map(({ site, checkout }) => ({ checkout, rows: rowsOf(site, checkout, also) }));
  return { title, parts: [{ checkout: '', rows: [node] }, ...parts] };
});
try {
  const results = measure(tables.flatMap(({ parts }) => parts.flatMap(({ rows }) => rows))).values();
  console.log(`${runs} interleaved runs each, medians; CPU is user and system`);
  for (const { title, parts } of tables) {
    if (title !== '') console.log(`\n${title}:`);
    let base: number | undefined;
    for (const { checkout, rows } of parts) {
      if (others.length > 0 && checkout !== '') console.log(`${checkout}:`);
      for (const { label } of rows) {
        const { cpu, elapsed } = results.next().value ?? { cpu: Number.NaN, elapsed: Number.NaN };
        base ??= cpu;
        const numbers = `${cpu.toFixed(0).padStart(5)} ms CPU ${(cpu / base).toFixed(2).padStart(6)} x`;
        console.log(`${label.padEnd(26)} ${numbers} ${elapsed.toFixed(0).padStart(6)} ms elapsed`);
      }
    }
  }
} finally {
  for (const { site } of checkouts) site.remove();
}
