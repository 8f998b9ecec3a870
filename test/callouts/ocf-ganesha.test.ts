// ocf:nlm-failover:ganesha on two rehearsed nodes, and a cluster of two stub commands, as no cluster runs here: what each action returns,
// leaves running, and tells the cluster. What it sees of a real NFS-Ganesha: test/wire/ocf-ganesha.test.ts.
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { configure } from '../helpers/check-sites.js';
import { agentEnvironment, agentFile, ocf, type Ran, runAgent } from '../helpers/ocf-agent.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { isOperating, watchName } from '../../src/rundir/operating.js';
import { watch } from '../helpers/shared-site.js';
import { projectRoot } from '../lab/project-root.js';
import { waitFor } from '../wire/wait-for.js';

const address = '127.78.31.1';

/** attrd_updater and crm_attribute: what was set is a file; what was deleted is in the cluster for so many more questions. */
const stubs = {
  attrd_updater: `#!/bin/sh
echo "$*" >>"$CLUSTER/told"
[ ! -e "$CLUSTER/silent" ] || exit 1
case $* in
'--name=nlm-failover-ganesha --update=1') echo 1 >"$CLUSTER/attribute" ;;
'--name=nlm-failover-ganesha --delete') [ ! -e "$CLUSTER/attribute" ] || mv "$CLUSTER/attribute" "$CLUSTER/going" ;;
*) exit 64 ;;
esac
`,
  crm_attribute: `#!/bin/sh
echo asked >>"$CLUSTER/told"
[ "$*" = '--lifetime=reboot --name=nlm-failover-ganesha --query --quiet' ] || exit 64
if [ -e "$CLUSTER/going" ]; then mv "$CLUSTER/going" "$CLUSTER/gone"; exit 0; fi
[ -e "$CLUSTER/attribute" ]
`,
};

interface Place {
  readonly a: RehearsalNode;
  readonly b: RehearsalNode;
  readonly storage: string;
  readonly run: (
    action: string,
    env?: Readonly<Record<string, string>>,
    node?: RehearsalNode,
  ) => Promise<Ran>;
  readonly env: (node?: RehearsalNode) => Record<string, string>;
  /** What the cluster was told since this was asked last. */
  readonly told: () => string[];
  readonly cluster: string;
  /** The pid of the watcher, where one is noted. */
  readonly watcher: (node?: RehearsalNode) => number | undefined;
}

function makePlace(t: ExecutionContext): Place {
  t.timeout(120_000);
  const site = makeRehearsal({
    address,
    rpcbindPort: 1,
    stateDirectory: '/shared_storage',
    shared: true,
  });
  const { a, b, directory } = site;
  const storage = path.join(directory, 'shared');
  const cluster = path.join(directory, 'cluster');
  for (const one of [storage, cluster]) mkdirSync(one, { mode: 0o755 });
  chmodSync(directory, 0o755);
  for (const [name, text] of Object.entries(stubs))
    writeFileSync(path.join(cluster, name), text, { mode: 0o755 });
  for (const node of [a, b]) node.link('/shared_storage', storage);
  const env = (node = a) => ({
    NLM_FAILOVER_REHEARSAL: node.root,
    OCF_RESKEY_config: node.config,
    OCF_RESKEY_crm_feature_set: '3.16.2',
    OCF_RESOURCE_INSTANCE: 'nfs-ganesha',
    OCF_RESKEY_CRM_meta_interval: '10000',
    CLUSTER: cluster,
    PATH: `${cluster}:${process.env['PATH'] ?? '/usr/bin:/bin'}`,
  });
  const run: Place['run'] = (action, more = {}, node = a) =>
    runAgent(agentFile('ganesha'), [action], { ...env(node), ...more });
  const note = (node: RehearsalNode) => path.join(node.root, 'run/nlm-failover/join-grace.pid');
  const watcher = (node = a) =>
    existsSync(note(node)) ? Number(readFileSync(note(node), 'utf8').split(' ')[0]) : undefined;
  const log = path.join(cluster, 'told');
  t.teardown(async () => {
    for (const node of [a, b]) if (watcher(node) !== undefined) await run('stop', {}, node);
    site.remove();
  });
  return {
    a,
    b,
    storage,
    run,
    env,
    cluster,
    watcher,
    told: () => {
      if (!existsSync(log)) return [];
      const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
      rmSync(log);
      return lines;
    },
  };
}

const isWell = '--name=nlm-failover-ganesha --update=1';
const isIll = '--name=nlm-failover-ganesha --delete';

function runs(pid: number | undefined): boolean {
  const text =
    pid === undefined ? '' : spawnSync('cat', [`/proc/${pid}/cmdline`], { encoding: 'utf8' }).stdout;
  return text.includes('join-grace\0--watch');
}

async function expectCodes(
  t: ExecutionContext,
  { run }: Place,
  steps: readonly (readonly [string, number])[],
): Promise<void> {
  for (const [action, code] of steps) {
    const ran = await run(action);
    t.is(ran.code, code, `${action}: ${ran.stderr}`);
  }
}

test('started, looked at, stopped, each as often as one likes, and the cluster is told', async (t) => {
  const place = makePlace(t);
  const { told, watcher, run } = place;
  await expectCodes(t, place, [
    ['monitor', ocf.notRunning],
    ['validate-all', ocf.success],
  ]);
  t.deepEqual(told(), []);
  await expectCodes(t, place, [['start', ocf.success]]);
  t.deepEqual(told(), [isWell]);
  const pid = watcher();
  t.true(runs(pid));
  await expectCodes(t, place, [
    ['monitor', ocf.success],
    ['start', ocf.success],
  ]);
  t.is((await run('monitor', { OCF_CHECK_LEVEL: '10' })).code, ocf.success);
  t.is(watcher(), pid, 'the same');
  t.deepEqual(told(), [isWell, isWell, isWell]);
  await expectCodes(t, place, [['stop', ocf.success]]);
  t.deepEqual(told(), [isIll, 'asked', 'asked'], 'until it is gone');
  t.false(runs(pid));
  t.is(watcher(), undefined);
  await expectCodes(t, place, [
    ['monitor', ocf.notRunning],
    ['stop', ocf.success],
  ]);
});

test('whoever calls is answered by what a start leaves running', async (t) => {
  const { a, b, run } = makePlace(t);
  t.is((await run('start', {}, b)).code, ocf.success);
  const taken = await a.here(['takeover', address, '--no-wait', '--notify-deadline', '1']);
  t.is(taken.exitCode, 0, taken.stdout + taken.stderr);
  t.regex(taken.stdout, /in grace after [\d.]+ s: B/);
});

test('what answers the calls is started anew where it alone has ended, and a probe only looks', async (t) => {
  const place = makePlace(t);
  const { run, told, watcher } = place;
  t.is((await run('start')).code, ocf.success);
  const first = watcher() ?? 0;
  process.kill(first, 'SIGKILL');
  await waitFor('its end', () => Promise.resolve(!runs(first)));
  told();
  const probed = await run('monitor', { OCF_RESKEY_CRM_meta_interval: '0' });
  t.is(probed.code, ocf.generic);
  t.regex(probed.reasons.join('\n'), /^nlm-failover join-grace --watch has ended/);
  t.false(runs(watcher()));
  t.is(told()[0], isIll);
  const mended = await run('monitor');
  t.is(mended.code, ocf.success, mended.stderr);
  t.regex(mended.stderr, /has ended.*it is started anew/);
  t.deepEqual(told(), [isWell]);
  t.true(runs(watcher()));
  t.not(watcher(), first);
  // A pid that came to be another process's: that one is not the watcher, and is not ended.
  const note = path.join(place.a.root, 'run/nlm-failover/join-grace.pid');
  const second = watcher() ?? 0;
  const [, since = ''] = readFileSync(note, 'utf8').trim().split(' ');
  writeFileSync(note, `${process.pid} ${since}\n`);
  t.is((await run('stop')).code, ocf.success);
  t.true(runs(second));
  process.kill(second, 'SIGTERM');
});

test("a watcher of the administrator's is enough, is never ended, and has its place taken when it ends", async (t) => {
  const { a, run, watcher } = makePlace(t);
  const isWellBy = async (action: string, says: RegExp | undefined) => {
    const { code, stderr } = await run(action);
    t.is(code, ocf.success, stderr);
    if (says === undefined) t.is(stderr, '', action);
    else t.regex(stderr, says);
  };
  const isLocked = () => isOperating(path.join(a.root, 'run/nlm-failover'), watchName);
  const theirs = async () => {
    const started = watch(t, a);
    await waitFor('it looks', () => Promise.resolve(isLocked()));
    return started;
  };
  const first = await theirs();
  await isWellBy('start', new RegExp(`by process ${first.child.pid} already, which this agent has not`));
  for (let times = 0; times < 2; times += 1) await isWellBy('monitor', undefined);
  t.false(runs(watcher()), 'no second one');
  await isWellBy('stop', undefined);
  t.true(runs(first.child.pid));
  t.is((await run('monitor')).code, ocf.notRunning);

  await isWellBy('start', /already/);
  await first.end();
  await isWellBy('monitor', /has ended.*it is started anew/);
  const own = watcher();
  t.true(runs(own));
  // Now theirs is the second one.
  const second = watch(t, a);
  const [code] = (await once(second.child, 'exit')) as [number];
  t.is(code, 1, second.said());
  await isWellBy('monitor', undefined);
  t.is(watcher(), own);

  process.kill(own ?? 0, 'SIGKILL');
  await waitFor('its end', () => Promise.resolve(!isLocked()));
  const third = await theirs();
  await isWellBy('monitor', undefined);
  await isWellBy('stop', undefined);
  await third.end();
});

test('a node in standby answers on by the unit, and is not waited for in vain', async (t) => {
  const { a, b, run } = makePlace(t);
  const unit = readFileSync('callouts/systemd/nlm-failover-join-grace.service', 'utf8');
  t.regex(unit, /^ExecStart=\/usr\/sbin\/nlm-failover join-grace --watch$/m, 'which is what runs below');
  const file = path.join(a.root, 'nlm-failover-join-grace.service');
  writeFileSync(file, unit.replace('/usr/sbin/nlm-failover', '/bin/true'));
  t.is(spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' }).stderr, '');
  for (const node of [a, b])
    configure(node, '[[shared_filesystem]]', '[timeouts]\nbarrier = 3\n[[shared_filesystem]]');
  const takeover = ['takeover', address, '--no-wait', '--notify-deadline', '1'];
  t.is((await run('start', {}, b)).code, ocf.success);
  t.is((await run('stop', {}, b)).code, ocf.success);
  const alone = await a.here(takeover);
  t.is(alone.exitCode, 5, 'what there was before: nobody answers');
  t.regex(alone.stdout, /NOTE: node B has not answered/);
  // Who answers may take his time.
  for (const node of [a, b]) configure(node, 'barrier = 3', 'barrier = 60');
  const answering = watch(t, b);
  t.is((await run('start', {}, b)).code, ocf.success);
  t.is((await run('stop', {}, b)).code, ocf.success);
  const released = await a.here(['release', address]);
  t.is(released.exitCode, 0, released.stdout + released.stderr);
  t.regex(released.stdout, /in grace after [\d.]+ s: B/);
  await answering.end();
});

test('where nobody can be told that all is well, it is not', async (t) => {
  const { cluster, run } = makePlace(t);
  writeFileSync(path.join(cluster, 'silent'), '');
  for (const action of ['start', 'monitor']) {
    const { code, reasons } = await run(action);
    t.is(code, ocf.generic, action);
    t.regex(reasons.join('\n'), /nlm-failover-ganesha could not be set/);
  }
  // Without Pacemaker there is none to set.
  const alone = await run('monitor', { OCF_RESKEY_crm_feature_set: '' });
  t.is(alone.code, ocf.success, alone.stderr);
});

test('what keeps it from answering is said, and where another node could do better', async (t) => {
  const place = makePlace(t);
  const { a, run, storage, told } = place;
  const refused = async (code: number, said: RegExp, env: Readonly<Record<string, string>> = {}) => {
    for (const action of ['validate-all', 'start']) {
      const ran = await run(action, env);
      t.is(ran.code, code, `${action}: ${ran.stderr}`);
      t.is(ran.reasons.length, 1);
      t.regex(ran.reasons[0] ?? '', said);
    }
  };
  const text = a.read('/etc/nlm-failover.toml');
  const other = path.join(a.root, 'other.toml');
  writeFileSync(other, text.replace(/^nodes = .*$/m, 'nodes = ["X"]'));
  await refused(ocf.args, /this node, A, is not among them/, { OCF_RESKEY_config: other });
  await refused(ocf.args, /there is no file .*no_such/, { OCF_RESKEY_config: '/no_such' });
  await refused(ocf.installed, /no_such is not installed/, { OCF_RESKEY_program: '/no_such' });
  const canary = path.join(a.root, 'pwned');
  for (const hostile of [`$(touch ${canary})`, `x; touch ${canary}`, '--help', 'a\nb']) {
    await refused(ocf.configured, /^unit must be the name/, { OCF_RESKEY_unit: hostile });
    await refused(ocf.configured, /^bus must be an address/, { OCF_RESKEY_bus: hostile });
    t.is((await run('stop', { OCF_RESKEY_unit: hostile })).code, ocf.success);
  }
  t.false(existsSync(canary));
  rmSync(path.join(a.root, 'shared_storage'));
  await refused(ocf.generic, /Whether 127\.78\.31\.1 calls this node into grace cannot be seen/);
  a.link('/shared_storage', storage);
  t.false(told().includes(isWell));
  t.is(place.watcher(), undefined);
});

test('what it does not do is not implemented, and a stop without anything is one', async (t) => {
  const { run } = makePlace(t);
  for (const action of ['notify', 'promote', 'reload', 'usage', '', 'no_cmd'])
    t.is((await run(action)).code, ocf.unimplemented, action);
  const { a } = makePlace(t);
  const bare = await runAgent(agentFile('ganesha'), ['stop'], { NLM_FAILOVER_REHEARSAL: a.root });
  t.is(bare.code, ocf.success, bare.stderr);
});

test('whatever shell runs it', async (t) => {
  const { run, env } = makePlace(t);
  t.is((await run('start')).code, ocf.success);
  for (const shell of [['dash'], ['bash', '--posix'], ['busybox', 'sh']])
    t.is(
      (await runAgent(agentFile('ganesha'), ['monitor'], env(), shell)).code,
      ocf.success,
      shell.join(' '),
    );
});

const hasTester = ['ocf-tester', 'xmllint'].every(
  (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0,
);
(hasTester ? test : test.skip)('ocf-tester has nothing against it', (t) => {
  const { a } = makePlace(t);
  // It runs meta-data as nobody, who does not get into everybody's home: agents where they do.
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-ocf-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  chmodSync(directory, 0o755);
  execFileSync('cp', ['-rp', path.join(projectRoot(), 'callouts'), directory]);
  const program = path.join(projectRoot(), 'bin/nlm-failover');
  const given = ['-n', 'nfs-ganesha', '-o', `config=${a.config}`, '-o', `program=${program}`];
  const { status, stdout, stderr } = spawnSync(
    'ocf-tester',
    [...given, path.join(directory, 'callouts/ocf/ganesha')],
    { env: agentEnvironment({ NLM_FAILOVER_REHEARSAL: a.root }), encoding: 'utf8' },
  );
  t.is(status, 0, stdout + stderr);
  t.regex(stdout, /passed all tests/);
  t.notRegex(stdout, /^\* rc=/m);
});
