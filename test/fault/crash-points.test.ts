// release, takeover and notify are stopped before and after every effect they have: by kill -9, by an error from the
// operation, by SIGTERM. Then the same command again, and the opposite one. The effects are those that test/fault/preload
// saw happen in a run without a fault, so a new step is covered without anyone remembering.
// Here a sample over the kinds of effects; every point (some 30 minutes): NLM_FULL=1 npx ava build/test/fault/crash-points.test.js
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type LoopbackClient, startLoopbackClient } from '../demo/loopback-client.js';
import { makeRehearsal, type RehearsalSite } from '../helpers/rehearsal-site.js';
import { addClient } from '../helpers/rehearsal-steps.js';
import { type Effect, strikes } from './fault.js';
import {
  brokenPromise,
  copySite,
  type NodeName,
  readState,
  removeSite,
  runHere,
  type SiteState,
} from './site.js';
import { runStruck, type Struck } from './strike.js';

const full = process.env['NLM_FULL'] === '1';
const lockLine = '1: POSIX  ADVISORY  WRITE 999999999 07:01:12 0 EOF\n';

interface Command {
  readonly node: NodeName;
  readonly args: readonly string[];
  /** The node is dead, its power off: what it had in memory is gone. */
  readonly powerOff?: NodeName;
  /** Grace periods end before it. */
  readonly late?: boolean;
}

interface Operation {
  readonly name: string;
  readonly command: Command;
  readonly prepare: readonly Command[];
  /** Ways on from the crash; each is compared with the same way on from the complete operation. */
  readonly recoveries: Readonly<Record<string, readonly Command[]>>;
}

function operations(address: string): Operation[] {
  const takeover = (node: NodeName, ...more: string[]) => ({
    node,
    args: ['takeover', address, '--no-wait', ...more],
  });
  const release = (node: NodeName) => ({ node, args: ['release', address] });
  const notify = { node: 'B' as const, args: ['notify', address] };
  return [
    {
      name: 'takeover',
      prepare: [release('A')],
      command: takeover('B'),
      recoveries: {
        'the same again': [takeover('B')],
        'the same again, when the grace is over': [{ ...takeover('B'), late: true }],
        'release, and back to A': [release('B'), takeover('A')],
        'B dead, back to A': [{ ...takeover('A', '--fenced'), powerOff: 'B' }],
      },
    },
    {
      name: 'release',
      prepare: [],
      command: release('A'),
      recoveries: {
        'the same again': [release('A')],
        'the same again, and over to B': [release('A'), takeover('B')],
        'takeover on the same node': [{ ...takeover('A'), late: true }],
        'A dead, over to B': [{ ...takeover('B', '--fenced'), powerOff: 'A' }],
      },
    },
    {
      name: 'notify',
      prepare: [release('A'), takeover('B', '--steps', 'B-1,B-2,B-5,B-4')],
      command: notify,
      recoveries: {
        'the same again': [notify],
        'takeover again': [takeover('B')],
        'release, and back to A': [release('B'), takeover('A')],
      },
    },
  ];
}

interface Stage {
  readonly site: RehearsalSite;
  readonly client: LoopbackClient;
  readonly notified: number[];
  readonly shared: string | undefined;
}

async function follow(directory: string, commands: readonly Command[], where: string): Promise<void> {
  for (const { node, args, powerOff, late } of commands) {
    const file = (of: NodeName, name: string) => path.join(directory, of, name);
    if (powerOff !== undefined) darken(file, powerOff);
    if (late === true)
      for (const of of ['A', 'B'] as const) writeFileSync(file(of, 'proc/fs/lockd/nlm_end_grace'), 'Y\n');
    const { exitCode, output } = await runHere(directory, node, args);
    if (exitCode !== 0) problem(`${where}: ${args.join(' ')} on ${node} ended with ${exitCode}: ${output}`);
  }
}

function darken(file: (of: NodeName, name: string) => string, node: NodeName): void {
  for (const name of ['proc/self/mountinfo', 'var/lib/nfs/etab', 'proc/locks'])
    writeFileSync(file(node, name), '');
  writeFileSync(file(node, 'addresses.json'), '[]');
  writeFileSync(file(node, 'proc/fs/nfsd/threads'), '0\n');
  removeSite(file(node, 'run'));
}

/** What is compared, as lines: not which node recorded what when, and not what runs on a node that serves nothing. */
function comparable({ nodes, record, ...state }: SiteState): string[] {
  const lines = Object.entries(nodes).flatMap(([name, { mounts, exports, addresses, links }]) =>
    Object.entries({ mounts, exports, addresses, links }).map(
      ([key, value]) => `${name} ${key}: ${value.join(' ')}`,
    ),
  );
  // A journal that was not finished stays until that node begins one again.
  const files = record.filter((name) => !/^\.?journal\./.test(name));
  return [...lines, `record: ${files.join(' ')}`, JSON.stringify(state)];
}

/** What follows for those who had locks. */
function checkNotified({ notified }: Stage, state: SiteState, after: number, where: string): void {
  if (notified.some((one) => one % 2 === 0)) problem(`${where}: an even state was notified`);
  const latest = notified.slice(after);
  if (latest.some((one, index) => index > 0 && one < (latest[index - 1] ?? 0)))
    problem(`${where}: a state lower than one before: ${latest.join(', ')}`);
  const server = (['A', 'B'] as const).find((name) => state.nodes[name].addresses.length > 0);
  // Whoever serves now either still has the lock, or has notified the client, whose kernel then asks for it again.
  if (server !== undefined && state.nodes[server].locks === '' && latest.length === 0)
    problem(`${where}: nobody was notified, and the lock is gone`);
}

/** One effect of each kind, chosen the same way each time; all with NLM_FULL=1. */
function sample(effects: readonly Effect[], seed: number): Effect[] {
  if (full) return [...effects];
  const byKind = groupByKind(effects);
  const one = [...byKind.values()].map((same, index) => same[(seed * 7 + index * 3) % same.length]);
  return one.filter((effect) => effect !== undefined).filter((_, index) => (index + seed) % 4 === 0);
}

const figures = { struck: 0, recovered: 0 };
/** What went wrong, all of it: one defect often shows at several points. */
const problems: string[] = [];

/** Said at once, as a long run is not to be waited for. */
function problem(sentence: string): void {
  problems.push(sentence);
  process.stderr.write(`${sentence}\n`);
}

async function strikeAll(
  t: ExecutionContext,
  stage: Stage,
  operation: Operation,
  seed: number,
): Promise<void> {
  const { site, notified, shared } = stage;
  const start = copySite(site.directory);
  t.teardown(() => removeSite(start));
  await follow(start, operation.prepare, 'preparing');
  const { node, args } = operation.command;
  const whole = copySite(start);
  t.teardown(() => removeSite(whole));
  const unharmed = await runStruck(whole, node, args, {});
  t.is(unharmed.exitCode, 0, unharmed.stderr);
  t.true(unharmed.effects.length > 2);
  const goals = new Map<string, string[]>();
  for (const [name, commands] of Object.entries(operation.recoveries)) {
    const copy = copySite(whole);
    await follow(copy, commands, `${operation.name}, then ${name}`);
    goals.set(name, comparable(readState(copy, site, shared)));
    removeSite(copy);
  }
  const kinds = [...strikes, { how: 'term', side: 'after' } as const];
  for (const effect of sample(unharmed.effects, seed)) {
    for (const fault of full ? kinds : kinds.filter((_, index) => (index + effect.number) % 3 === 0)) {
      const where = `${operation.name}, ${fault.how} ${fault.side} ${effect.number} (${effect.kind} ${effect.what})`;
      const crashed = copySite(start);
      const before = notified.length;
      const struck = await runStruck(crashed, node, args, { ...fault, strike: effect.number });
      figures.struck += 1;
      if (figures.struck % 100 === 0) process.stderr.write(`${figures.struck} strikes\n`);
      if (fault.how !== 'kill') checkEnd(struck, where);
      else if (struck.signal !== 'SIGKILL') problem(`${where}: was not killed`);
      const broken = brokenPromise(readState(copyForLook(crashed), site, shared));
      if (broken !== null) problem(`${where}: ${broken}`);
      for (const [name, commands] of Object.entries(operation.recoveries)) {
        const copy = copySite(crashed);
        await follow(copy, commands, `${where}, then ${name}`);
        const state = readState(copy, site, shared);
        const lines = comparable(state);
        const after = `${where}, then ${name}`;
        const other = lines.filter((line) => !goals.get(name)?.includes(line));
        if (other.length > 0) problem(`${after}: not as without the crash: ${other.join('; ')}`);
        const end = brokenPromise(state);
        if (end !== null) problem(`${after}: ${end}`);
        checkNotified(stage, state, before, after);
        figures.recovered += 1;
        removeSite(copy);
      }
      removeSite(crashed);
      for (const look of looks.splice(0)) removeSite(look);
    }
  }
}

const looks: string[] = [];

/** Looking folds, which the crashed site must not see. */
function copyForLook(directory: string): string {
  const copy = copySite(directory);
  looks.push(copy);
  return copy;
}

/** Not killed: a clear sentence, and how to go on; or what was struck was not needed. */
function checkEnd({ exitCode, stderr, signal }: Struck, where: string): void {
  if (signal !== null) problem(`${where}: ended by ${signal}`);
  if (/unexpected error|\n {4}at /.test(stderr)) problem(`${where}: ${stderr}`);
  else if (exitCode !== 0 && !/^nlm-failover: .+\n {2}.+/.test(stderr))
    problem(`${where}: does not say how to go on: ${stderr}`);
}

let seed = 0;
for (const shared of [undefined, '/shared_storage']) {
  for (const fsids of [[1234], [1234, 5678]]) {
    const place = shared === undefined ? 'on the moving volume' : 'on shared storage';
    seed += 1;
    const number = seed;
    test(`crash at every point: the record ${place}, fsids ${fsids.join(' ')}`, async (t) => {
      t.timeout(7_200_000);
      const address = `127.77.6.${number}`;
      const notified: number[] = [];
      const client = await startLoopbackClient(`127.77.6.${100 + number}`, 0, (_, state) =>
        notified.push(state),
      );
      const options = shared === undefined ? {} : { stateDirectory: shared };
      const site = makeRehearsal({ address, rpcbindPort: client.port, fsids, ...options });
      t.teardown(() => {
        client.close();
        site.remove();
      });
      if (shared !== undefined) {
        mkdirSync(path.join(site.directory, shared));
        for (const node of [site.a, site.b]) node.link(shared, path.join(site.directory, shared));
      }
      const first = await runHere(site.directory, 'A', ['takeover', address]);
      t.is(first.exitCode, 0, first.output);
      addClient(site.a, client.address);
      site.a.write('/proc/locks', lockLine);
      site.a.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
      for (const operation of operations(address)) {
        await strikeAll(t, { site, client, notified, shared }, operation, number);
      }
      t.deepEqual(problems.splice(0), []);
      t.log(`${figures.struck} strikes, ${figures.recovered} ways on so far`);
      t.is(readFileSync(path.join(site.directory, 'A/proc/locks'), 'utf8'), lockLine);
    });
  }
}

function groupByKind(effects: readonly Effect[]): Map<string, Effect[]> {
  const groups = new Map<string, Effect[]>();
  for (const effect of effects) groups.set(effect.kind, [...(groups.get(effect.kind) ?? []), effect]);
  return groups;
}
