// Before a node is fenced: all others refuse NLM, or are in grace. Two rehearsed nodes, with the processes that do it.
import { existsSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { lastLooked } from '../../src/ctdb/local.js';
import { nobodyBehind } from '../../src/ctdb/note.js';
import { readNotes, writeNote } from '../../src/ctdb/note-files.js';
import { exitCodes } from '../../src/errors.js';
import { ctdbSite } from './helpers/ctdb-site.js';
import { callout, endAfter, event, isServe, pidOf, runOf, until } from './helpers/serving.js';

test('join-grace --all returns when all that live refuse; who does not is named, and the fence agent keeps nobody waiting', async (t) => {
  const site = ctdbSite(t, 1, 'ctdb_wait = 12\nctdb_refuse = 600\nctdb_closed = 900\nctdb_notify = 77');
  const { a, b } = site;
  const refusedUntil = () =>
    Number(existsSync(a.path('/nft-refused')) ? a.read('/nft-refused').split('\n')[0] : 0);
  const agent = (text: string) => callout(a, 'fence_nlm_failover', [], text);
  const unserved = await agent('action=off\nplug=C\n');
  t.is(unserved.code, 0, 'the node is fenced all the same');
  t.regex(unserved.output, /"nlm-failover ctdb serve" does not run here: nobody was called/);
  for (const node of site.nodes) {
    endAfter(t, node);
    t.is((await event(node, '06', 'startup')).code, 0);
  }
  await until(() => site.nodes.every((node) => lastLooked(runOf(node)) !== undefined));
  const notes = () => [...readNotes(path.join(site.shared, 'ctdb')).values()];
  t.deepEqual(
    notes().map(({ phase }) => phase),
    ['idle', 'idle'],
  );

  const first = await agent('# a remark\naction=off\nnodename=C\n');
  t.is(first.code, 0);
  t.regex(first.output, /^generation 1: A, B refuse, or are in grace$/m);
  for (const { generation, phase } of notes()) {
    t.is(generation, 1);
    t.regex(phase, /^(?:refusing|stopped|started)$/);
  }
  await until(() => notes().every(({ phase }) => phase === 'started'));
  await until(() => (lastLooked(runOf(a))?.remarks ?? []).length > 0);
  t.regex(
    lastLooked(runOf(a))?.remarks.join() ?? '',
    /a grace of \d+ s is too short: .* takes 77 s, .* together 97 s/,
  );

  // Where no file can be made, and with a name that looks like an option.
  const nowhere = { TMPDIR: '/nonexistent' };
  t.is((await callout(a, 'fence_nlm_failover', ['--action=off', '--plug=-C'], '', nowhere)).code, 0);
  t.true(notes().every(({ generation }) => generation === 2));
  await until(() => notes().every(({ phase }) => phase === 'started'));

  // It is CTDB's still, as in the first seconds after its power was cut.
  const pid = pidOf(b);
  if (pid === undefined || !isServe(pid)) return t.fail(`no process: ${pid}`);
  process.kill(pid, 'SIGKILL');
  await until(() => !isServe(pid));
  const calling = a.here(['join-grace', '--all', '--json']);
  // As ctdb_refuse has it; and what it has by default is over long before.
  await until(() => refusedUntil() > Date.now() + 60_000);
  const missing = await calling;
  t.is(missing.exitCode, exitCodes.stepFailed, missing.stderr);
  t.like(JSON.parse(missing.stdout), { ready: ['A'], missing: ['B'] });
  const dead = await a.here(['join-grace', '--all', '--dead', 'C', '--dead', 'B', '--json']);
  t.is(dead.exitCode, exitCodes.done, dead.stderr);
  t.like(JSON.parse(dead.stdout), { ready: ['A'], missing: [] });
  t.true((notes()[0]?.generation ?? 0) >= 3);
  const named = await agent('action=reboot\nplug=B\n');
  t.regex(named.output, /^generation \d+: A refuse, or are in grace$/m);

  // CTDB says nothing: whoever has a note may live.
  a.remove('/ctdb-status');
  const silent = await a.here(['join-grace', '--all']);
  t.is(silent.exitCode, exitCodes.stepFailed);
  t.regex(silent.stdout, /^NOT REFUSING within 12 s: B; what the fenced node held may be given away there$/m);
});

test('join-grace --all believes no note of this node that its process has not changed', async (t) => {
  const site = ctdbSite(t, 1, 'ctdb_wait = 1');
  const directory = path.join(site.shared, 'ctdb');
  const bootId = 'of an earlier boot';
  const write = (pnn: number, node: string, generation: number, phase: 'idle' | 'refusing' | 'started') =>
    writeNote(directory, pnn, { node, generation, phase, behind: nobodyBehind, beat: 1, bootId });
  // Its machine went down in generation 5, which is over elsewhere; it had another number once. The process waits for ctdbd still.
  write(0, 'A', 5, 'refusing');
  write(1, 'B', 5, 'idle');
  write(4, 'A', 9, 'started');
  write(5, 'C', Number.MAX_SAFE_INTEGER, 'started');
  site.a.remove('/ctdb-status');
  endAfter(t, site.a);
  t.is((await event(site.a, '06', 'startup')).code, 0);
  await until(() => isServe(pidOf(site.a) ?? 0));
  const called = await site.a.here(['join-grace', '--all', '--json']);
  t.is(called.exitCode, exitCodes.stepFailed, called.stderr);
  t.like(
    JSON.parse(called.stdout),
    { generation: 10, ready: [], missing: ['A', 'B'] },
    called.stdout + called.stderr,
  );
});

test('the fence agent does nothing for what fences nobody, and says what it is', async (t) => {
  const { a } = ctdbSite(t, 1);
  for (const action of ['on', 'monitor', 'status', 'validate-all'])
    t.deepEqual(await callout(a, 'fence_nlm_failover', [`--action=${action}`]), { code: 0, output: '' });
  const { code, output } = await callout(a, 'fence_nlm_failover', ['--action=metadata']);
  t.is(code, 0);
  t.regex(
    output,
    /^<\?xml[^]*<resource-agent name="fence_nlm_failover"[^]*<action name="off"\/>[^]*<\/resource-agent>\n$/,
  );
});

test('--all is for what starts together, and --dead for --all', async (t) => {
  const { a } = ctdbSite(t, 1);
  t.is((await a.here(['join-grace', '--dead', 'B'])).exitCode, exitCodes.usage);
  t.is((await a.here(['join-grace', '--all', '--watch'])).exitCode, exitCodes.usage);
  a.write('/etc/nlm-failover.toml', a.read('/etc/nlm-failover.toml').replace('"lockd"', '"auto"'));
  const { exitCode, stderr } = await a.here(['join-grace', '--all']);
  t.is(exitCode, exitCodes.configuration);
  t.regex(stderr, /driver is "auto", which needs no barrier/);
});
