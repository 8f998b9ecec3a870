// The callout at full speed on two nodes, while the address goes back and forth between them and clients and status are asked
// again and again, each a process of its own, and two more processes do nothing but fold. Here one failover; 40, for minutes:
//   NLM_FULL=1 npx ava --timeout=1h build/test/fault/full-speed.test.js
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type RehearsalNode, makeRehearsal } from '../helpers/rehearsal-site.js';
import { jsonLines } from '../helpers/rehearsal-steps.js';
import { Farm } from '../nsm/notify/farm.js';
import { type Helper, startProcess } from '../record/helpers/process.js';
import { addresses, type Call, FullSpeedStatd, uptimeNow } from './full-speed-statd.js';
import { nameOf, replay } from './replay.js';
import { changes, History, installWitness, moments } from './witness.js';

// For this process and those that it starts.
const preload = path.join(import.meta.dirname, 'witness-preload.js');
await import(preload);
process.env['NODE_OPTIONS'] = `--import=${preload}`;

const full = process.env['NLM_FULL'] === '1';
const failovers = full ? 40 : 1;
const shared = '/shared_storage';
const address = '127.77.9.1';
const fsids = ['1234', '5678'];
/** By each node each time, at least. */
const recorded = 20;
const nets = { A: '127.80', B: '127.81' } as const;

/** While a node records: every call that began and ended in it must be in its journal. Seconds since boot. */
interface Period {
  readonly from: number;
  to: number;
}

interface Read {
  readonly command: 'clients' | 'status';
  readonly began: number;
  readonly output: string;
}

interface Stage {
  readonly t: ExecutionContext;
  readonly statds: Readonly<Record<'A' | 'B', FullSpeedStatd>>;
  readonly periods: Readonly<Record<'A' | 'B', Period[]>>;
  /** Commands that ended, and those among them that found the record busy. */
  readonly count: { commands: number; busy: number };
  over: boolean;
}

async function makeStage(t: ExecutionContext): Promise<{ stage: Stage; record: string }> {
  const farm = new Farm();
  t.teardown(() => farm.close());
  for (const net of Object.values(nets)) {
    for (let number = 0; number < addresses; number += 1)
      await farm.client(`${net}.${number >> 8}.${number & 255}`, { oneSocket: true });
  }
  const rpcbindPort = farm.rpcbindPort;
  const site = makeRehearsal({ address, rpcbindPort, stateDirectory: shared, fsids: fsids.map(Number) });
  t.teardown(() => site.remove());
  mkdirSync(path.join(site.directory, shared));
  for (const node of [site.a, site.b]) node.link(shared, path.join(site.directory, shared));
  const record = path.join(site.directory, shared, `sm_${address}`);
  const { exitCode, stderr } = await site.a.tool(['takeover', address, '--no-wait']);
  t.is(exitCode, 0, stderr);
  // Before the first call: else a state that somebody saw might not be known.
  installWitness(record);
  const statds = {
    A: new FullSpeedStatd(t, site.a, nets.A, record),
    B: new FullSpeedStatd(t, site.b, nets.B, record),
  };
  const stage: Stage = { t, statds, periods: { A: [], B: [] }, count: { commands: 0, busy: 0 }, over: false };
  return { stage, record };
}

/** Runs a command; its exit code must be one of those. Returns its standard output. */
async function run(
  { t, count }: Stage,
  node: RehearsalNode,
  codes: readonly number[],
  ...args: string[]
): Promise<string> {
  const { exitCode, stdout, stderr } = await node.tool([...args, '--json']);
  count.commands += 1;
  if (/BUSY|locked/u.test(stdout + stderr)) count.busy += 1;
  t.true(codes.includes(exitCode), `${args.join(' ')} on ${node.name}: ${exitCode} ${stdout} ${stderr}`);
  return stdout;
}

async function takeOver(stage: Stage, by: 'A' | 'B', ...args: string[]): Promise<void> {
  await run(stage, stage.statds[by].node, [0], 'takeover', address, '--no-wait', ...args);
  stage.periods[by].push({ from: uptimeNow(), to: Infinity });
  stage.statds[by].keepJournal();
}

/** Before what ends it begins. */
function endPeriod(stage: Stage, of: 'A' | 'B'): void {
  const period = stage.periods[of].at(-1);
  if (period !== undefined) period.to = uptimeNow();
}

async function operate(stage: Stage): Promise<void> {
  for (let failover = 0; failover < failovers; failover += 1) {
    const [from, to] = failover % 2 === 0 ? (['A', 'B'] as const) : (['B', 'A'] as const);
    await stage.statds[from].makeCalls(recorded);
    endPeriod(stage, from);
    // Two of four are of a node that was said to be dead and is not: it goes on recording, until the address comes back to it.
    if (failover % 4 < 2) {
      await run(stage, stage.statds[from].node, [0], 'release', address);
      await takeOver(stage, to);
    } else {
      await takeOver(stage, to, '--fenced');
    }
    if (full) await run(stage, stage.statds[to].node, [0], 'notify', address);
    await stage.statds[to].makeCalls(recorded);
  }
}

/** Asks one node, then the other, in turn for its clients and its status, until all is over. */
async function ask(stage: Stage): Promise<Read[]> {
  const reads: Read[] = [];
  for (let turn = 0; !stage.over; turn += 1) {
    const { node } = stage.statds[turn % 2 === 0 ? 'A' : 'B'];
    const command = turn % 4 < 2 ? 'clients' : 'status';
    const began = uptimeNow();
    // status ends with 1 in the middle of a takeover: the address is recorded already, and not up.
    const output = await run(stage, node, command === 'status' ? [0, 1] : [0], command, address);
    reads.push({ command, began, output });
  }
  return reads;
}

/** Those whose effect no process may miss. */
function requiredOf(calls: readonly Call[], periods: readonly Period[]): Call[] {
  return calls.filter(({ began, ended }) => periods.some(({ from, to }) => began > from && ended < to));
}

async function lastLine(helper: Helper): Promise<string | undefined> {
  helper.child.stdin?.end();
  let last: string | undefined;
  for (let line = await helper.line(); line !== undefined; line = await helper.line()) last = line;
  return last;
}

test('the callout at full speed beside every command: each event once, nobody sees half a fold, nothing is busy', async (t) => {
  t.timeout(full ? 3_600_000 : 180_000);
  const { stage, record } = await makeStage(t);
  stage.periods.A.push({ from: uptimeNow(), to: Infinity });
  stage.statds.A.keepJournal();
  const folders = [1, 2].map(() => startProcess(t, 'fold-forever.js', [record, 'read']));
  const operating = operate(stage).finally(() => (stage.over = true));
  const [, ...reads] = await Promise.all([operating, ...(full ? [ask(stage), ask(stage)] : [ask(stage)])]);
  for (const node of ['A', 'B'] as const)
    if (stage.periods[node].at(-1)?.to === Infinity) endPeriod(stage, node);
  const calls = { A: await stage.statds.A.stop(), B: await stage.statds.B.stop() };
  const folds = await Promise.all(folders.map(lastLine));
  for (const count of folds) t.regex(count ?? '', /^\d+$/u, 'it folded to the end');
  await run(stage, stage.statds.A.node, [0], 'clients', address);
  t.is(stage.count.busy, 0);
  t.true(reads.flat().length > 0);

  const all = changes(record);
  let events = 0;
  const due: { readonly ended: number; readonly effect: number }[] = [];
  for (const name of ['A', 'B'] as const) {
    const required = requiredOf(calls[name], stage.periods[name]);
    const journals = stage.statds[name].events();
    const written = journals.flat().map(nameOf);
    t.is(new Set(written).size, written.length, `${name}: no line is there twice`);
    const names = new Set(required.map((call) => call.name));
    const missing = [...names].filter((one) => !written.includes(one));
    t.deepEqual(missing, [], `${name}: in the journal`);
    const { effects, lost, unexplained } = replay(name, journals, fsids, all, names);
    t.deepEqual(lost, [], `${name}: folded`);
    t.deepEqual(unexplained, [], `${name}: folded once, in order`);
    due.push(...required.map((call) => ({ ended: call.ended, effect: effects.get(call.name) ?? 0 })));
    events += written.length;
    t.true(names.size > 0);
  }

  // The commands have folded the others, and all that is no event.
  const folded = folds.reduce((sum, count) => sum + Number(count), 0);
  t.true(folded <= events, `${folded} events folded, of ${events}`);

  const history = new History(all);
  const clientReads = reads.flat().filter(({ command }) => command === 'clients');
  for (const { began, output } of clientReads) {
    const after = history.find(
      jsonLines(output) as unknown as { client: string; fsid: string; node: string }[],
    );
    t.not(after, undefined, 'clients: the record was never like this');
    const least = Math.max(0, ...due.filter(({ ended }) => ended < began).map(({ effect }) => effect));
    t.true((after ?? 0) >= least, `clients: ${after} changes, of ${least} that had been acknowledged`);
  }
  const known = moments(record);
  const statusReads = reads.flat().filter(({ command }) => command === 'status');
  for (const { output } of statusReads) {
    const { record: seen } = JSON.parse(output) as { record: Record<string, string | number | boolean> };
    const moment = [seen['owner'], seen['epoch'], Number(seen['released']), seen['nsmState']].join(' ');
    t.true(known.has(moment), `status: it was never ${moment}`);
  }
  t.log(
    `${events} events of two statds, ${failovers} failovers; ${folders.length} processes that fold; ${stage.count.commands} commands, ` +
      `${clientReads.length + statusReads.length} of them readers; 0 missing, 0 doubled, ${stage.count.busy} busy; ${folds.join(' + ')} events folded by those that only fold`,
  );
});
