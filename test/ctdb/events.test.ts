// CTDB's event scripts and the command behind them, as processes on two rehearsed nodes: what is noted, what is started, what monitor says.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { monitorText } from '../../src/ctdb/events.js';
import { lastLooked, movedNow, settledMove } from '../../src/ctdb/local.js';
import { readNotes } from '../../src/ctdb/note-files.js';
import { legacyDirectory, ownScripts, scriptFile } from '../../src/site/ctdb/scripts.js';
import { exitCodes } from '../../src/errors.js';
import { isInstalled } from '../../src/host/running/command.js';
import { servingJournal } from '../../src/rundir/serving.js';
import { writeBelow } from '../helpers/check-sites.js';
import { projectRoot } from '../lab/project-root.js';
import { addresses, ctdbSite, statusText } from './helpers/ctdb-site.js';
import { endAfter, event, isServe, pidOf, runOf, until } from './helpers/serving.js';

const [moving, staying] = addresses;
test('an event starts the process where it does not run; what moves is done by all; monitor sees it killed', async (t) => {
  const site = ctdbSite(t, 1);
  const phases = () => [...readNotes(path.join(site.shared, 'ctdb')).values()].map(({ phase }) => phase);
  for (const node of site.nodes) {
    endAfter(t, node);
    const { code, output } = await event(node, '62', 'monitor');
    t.is(code, 1);
    t.regex(output, /does not run/);
    t.is((await event(node, '06', 'startup')).code, 0);
  }
  await until(() => site.nodes.every((node) => lastLooked(runOf(node)) !== undefined));
  t.deepEqual(phases(), ['idle', 'idle']);
  site.give(site.a, [moving]);
  t.is((await event(site.a, '06', 'takeip', 'eth0', moving, '24')).code, 0);
  for (const node of site.nodes) t.is((await event(node, '62', 'ipreallocated')).code, 0);
  await until(() => phases().join(' ') === 'started started');
  t.regex(servingJournal(runOf(site.a), moving) ?? '', /journal\.A$/);
  const well = await event(site.a, '62', 'monitor');
  t.is(well.code, 0, well.output);
  t.regex(well.output, /^generation 1: started$/m);

  const said = async (...words: string[]) => site.a.here([...words, moving]);
  t.is((await said('notify')).exitCode, 0);
  t.regex(
    (await said('takeover')).stderr,
    /cannot serve 127\.79\.1\.1[^]*Where CTDB moves the address, leave that to it \("ctdb moveip"\)/,
  );
  t.regex((await said('release')).stderr, /cannot serve 127\.79\.1\.1/);
  t.notRegex((await said('status')).stdout, /join-grace|ctdb serve/);
  const stock = '/etc/ctdb/events/legacy/60.nfs.script';
  mkdirSync(site.a.path(path.dirname(stock)), { recursive: true });
  t.regex((await said('check')).stdout, /FAILURE {2}sharing {3}CTDB does not run \S*06\.nlm\S*, \S*62\.nlm/);
  for (const script of ownScripts)
    site.a.link(scriptFile(script), path.join(projectRoot(), 'callouts/ctdb', script));
  site.a.write(stock, '#!/bin/sh\n');
  t.notRegex((await said('check')).stdout, /60\.nfs|FAILURE {2}(?:sharing|driver)/);
  chmodSync(site.a.path(stock), 0o755);
  t.regex((await said('check')).stdout, /FAILURE {2}sharing {3}\S*60\.nfs\.script is enabled/);

  const log = path.join(runOf(site.b), 'ctdb/log');
  appendFileSync(log, `long ago\n${'x'.repeat(2 ** 20)}\n`);
  t.is((await event(site.a, '06', 'takeip', 'eth0', moving, '24')).code, 0);
  t.is((await event(site.a, '62', 'ipreallocated')).code, 0);
  await until(() => existsSync(`${log}.1`));
  t.regex(readFileSync(`${log}.1`, 'utf8'), /generation 1: started\n[^]*long ago\n/);
  await until(() => /^\S+ {2}generation 2: /m.test(readFileSync(log, 'utf8')));
  await until(() => phases().join(' ') === 'started started');

  const pid = pidOf(site.a);
  if (pid === undefined || !isServe(pid)) return t.fail(`no process: ${pid}`);
  t.regex((await site.a.tool(['ctdb', 'serve'])).stderr, /runs on this node already/);
  process.kill(pid, 'SIGKILL');
  await until(() => !isServe(pid));
  t.is((await event(site.a, '62', 'monitor')).code, 1);
  t.regex((await said('status')).stdout, /WRONG +"nlm-failover ctdb serve" does not run here/);
  t.regex((await said('check')).stdout, /FAILURE {2}sharing {3}"nlm-failover ctdb serve" does not run/);
  t.is(pidOf(site.a), pid, 'monitor starts nothing');
  t.is((await event(site.a, '62', 'recovered')).code, 0);
  await until(() => pidOf(site.a) !== pid);
  await until(() => phases().join(' ') === 'started started');
  t.is([...readNotes(path.join(site.shared, 'ctdb')).values()][0]?.generation, 2);
});

test('a configuration that has changed is taken by the next generation, and one that is broken is said, and ends nothing', async (t) => {
  const site = ctdbSite(t, 1);
  const { a } = site;
  const file = '/etc/nlm-failover.toml';
  const good = a.read(file);
  endAfter(t, a);
  a.write('/ctdb-status', statusText(0, false));
  const log = path.join(runOf(a), 'ctdb/log');
  mkdirSync(path.dirname(log), { recursive: true });
  writeFileSync(log, 'x'.repeat(2 ** 20 + 1));
  t.is((await event(a, '06', 'startup')).code, 0);
  t.true(existsSync(`${log}.1`), 'also of processes that end before they say anything');
  await until(() => lastLooked(runOf(a)) !== undefined);
  const pid = pidOf(a);
  const said = () => (lastLooked(runOf(a))?.remarks ?? []).join('\n');
  const generation = async (number: number, given: readonly string[]) => {
    site.give(a, given);
    t.is((await event(a, '06', 'takeip', 'eth0', given.at(-1) ?? '', '24')).code, 0);
    t.is((await event(a, '62', 'ipreallocated')).code, 0);
    await until(
      () => lastLooked(runOf(a))?.generation === number && lastLooked(runOf(a))?.phase === 'started',
    );
  };
  a.write(file, `${good}\n[[floating_ip`);
  await until(() => /has changed, and is not taken, so that what it had before goes on: /.test(said()));
  t.is((await event(a, '62', 'monitor')).code, 0, 'no reason to move the addresses away');
  await generation(1, [moving]);
  t.not(servingJournal(runOf(a), moving), undefined);
  a.write(file, good.replaceAll('/shared_storage', '/other'));
  await until(() => /has changed its node, driver or state directory, and is not taken before/.test(said()));
  // Another address, of which it knew nothing, and other waits.
  const third = '127.79.1.3';
  const table = good
    .slice(good.indexOf('[[floating_ip]]'))
    .split('[[floating_ip]]')[1]
    ?.replace(moving, third);
  a.write(file, `${good.replace('[timeouts]', '[timeouts]\nctdb_notify = 77')}\n[[floating_ip]]${table}`);
  await until(() => !/has changed/.test(said()));
  await generation(2, [moving, third]);
  t.not(servingJournal(runOf(a), third), undefined);
  await until(() => /a grace of \d+ s is too short: .* takes 77 s/.test(said()));
  t.is(pidOf(a), pid, 'by the same process');
});

test('releaseip: nobody is recorded any more; where the address is back by then, nothing is touched', async (t) => {
  const site = ctdbSite(t, 1);
  const { a } = site;
  endAfter(t, a);
  site.give(a, [moving, staying]);
  t.is((await event(a, '06', 'takeip', 'eth0', moving, '24')).code, 0);
  t.is((await event(a, '62', 'ipreallocated')).code, 0);
  await until(() => servingJournal(runOf(a), staying) !== undefined);
  const before = movedNow(runOf(a));
  const late = await event(a, '62', 'releaseip', 'eth0', moving, '24');
  t.is(late.code, 0);
  t.regex(late.output, /is here \(again\): nothing was touched/);
  t.not(servingJournal(runOf(a), moving), undefined);
  t.not(movedNow(runOf(a)), before, 'the others look once more all the same');
  site.give(a, [staying]);
  t.is((await event(a, '62', 'releaseip', 'eth0', moving, '24')).code, 0);
  t.is(servingJournal(runOf(a), moving), undefined);
  t.not(servingJournal(runOf(a), staying), undefined);
  t.not(settledMove(runOf(a)), movedNow(runOf(a)), 'ipreallocated has not come');
});

test('before any event check sees whose scripts CTDB runs: both, neither, and a configuration that is none for it', async (t) => {
  const { a } = ctdbSite(t, 1);
  const sharing = async () =>
    (await a.here(['check', moving])).stdout.split('\n').filter((line) => / sharing /.test(line));
  t.false(
    (await sharing()).some((line) => /event scripts|CTDB does not run/.test(line)),
    'no CTDB here',
  );
  mkdirSync(a.path(legacyDirectory), { recursive: true });
  t.true((await sharing()).some((line) => /CTDB does not run \S*06\.nlm\S*, \S*62\.nlm/.test(line)));
  t.notRegex((await a.here(['check', moving])).stdout, /FAILURE {2}driver/);
  a.link(scriptFile(ownScripts[0]), path.join(projectRoot(), 'callouts/ctdb', ownScripts[0]));
  t.true(
    (await sharing()).some((line) => /CTDB does not run \S*62\.nlm/.test(line)),
    'half of them',
  );
  a.link(scriptFile(ownScripts[1]), path.join(projectRoot(), 'callouts/ctdb', ownScripts[1]));
  t.true(
    (await sharing()).some((line) =>
      /ok +sharing +CTDB runs the event scripts of nlm-failover alone/.test(line),
    ),
  );
  const fencing = async () => (await sharing()).find((line) => line.includes('refuse before a node'));
  t.regex((await fencing()) ?? '', /WARNING +sharing +nothing has the other nodes refuse/);
  mkdirSync(a.path('/etc/dlm'));
  a.write('/etc/dlm/dlm.conf', '# device r:1 fence_nlm_failover\n');
  t.regex((await fencing()) ?? '', /WARNING/, 'a comment');
  a.write(
    '/etc/dlm/dlm.conf',
    'device r:1 /usr/sbin/fence_nlm_failover\ndevice r:2 /usr/sbin/fence_ipmilan\n',
  );
  t.regex((await fencing()) ?? '', /ok +sharing +dlm_controld \(dlm\.conf\(5\)\) has the other nodes refuse/);
  a.write('/60', '#!/bin/sh\n');
  chmodSync(a.path('/60'), 0o755);
  a.link(scriptFile('60.nfs.script'), a.path('/60'));
  t.true((await sharing()).some((line) => /FAILURE +sharing +\S*60\.nfs\.script is enabled/.test(line)));
  const mounts = a.read('/proc/self/mountinfo');
  a.write('/proc/self/mountinfo', mounts.replace('gpfs', 'gfs2'));
  t.regex(
    (await a.here(['check', moving])).stdout,
    /FAILURE {2}driver .*\/srv\/vol is GFS2, whose locks dlm keeps/,
  );
  a.write('/proc/self/mountinfo', mounts);
  a.write('/etc/nlm-failover.toml', a.read('/etc/nlm-failover.toml').replace('"lockd"', '"auto"'));
  const auto = (await a.here(['check', moving])).stdout;
  t.regex(
    auto,
    /FAILURE {2}sharing +the lock manager driver is "auto", which needs no barrier|FAILURE {2}driver/,
  );
});

test('words that are none of an event are refused, which fails no event script', async (t) => {
  const site = ctdbSite(t, 1);
  const run = (...words: string[]) => site.a.here(['ctdb', ...words]);
  for (const words of [[], ['eth0'], ['eth0', 'x', '24'], ['eth0', '10.1.1.1; reboot', '24']]) {
    const { exitCode, stderr } = await run('takeip', ...words);
    t.is(exitCode, exitCodes.usage);
    t.regex(stderr, /takes an interface, an address/);
  }
  t.is((await run('other')).exitCode, exitCodes.usage);
  t.is(movedNow(runOf(site.a)), undefined);
  const script = await event(site.a, '06', 'takeip', 'eth0', 'x', '24');
  t.is(script.code, 0);
  t.regex(script.output, /was not noted/);
  // What no script hands on.
  for (const number of ['06', '62'] as const)
    for (const name of ['init', 'setup', 'startrecovery', 'updateip', ''])
      t.deepEqual(await event(site.a, number, name), { code: 0, output: '' });
});

test('the process refuses what it cannot keep locks on, and what needs no barrier', async (t) => {
  const site = ctdbSite(t, 1);
  const refused = async (from: RegExp, to: string, file: string, says: RegExp) => {
    const before = site.a.read(file);
    site.a.write(file, before.replace(from, to));
    const { exitCode, stderr } = await site.a.here(['ctdb', 'serve']);
    site.a.write(file, before);
    t.is(exitCode, exitCodes.configuration, stderr);
    t.regex(stderr, says);
  };
  const config = '/etc/nlm-failover.toml';
  const mounts = '/proc/self/mountinfo';
  const each = 'those of each node alone';
  await refused(
    /gpfs/,
    'gfs2',
    mounts,
    /^\S*.*\/srv\/vol is GFS2, whose locks dlm keeps, which takes lockd for one owner: .*nobody has tried this/m,
  );
  writeBelow(site.a, '/proc/sys/kernel/osrelease', '6.1.176\n');
  await refused(
    /gpfs/,
    'gfs2',
    mounts,
    /is GFS2, whose locks dlm keeps, .*\(seen with GFS2 on this Linux 6\.1\.176\)/,
  );
  await refused(
    /gpfs (.*) rw\n/,
    'gfs2 $1 rw,localflocks\n',
    mounts,
    new RegExp(`is GFS2, mounted so that its locks are ${each}`),
  );
  await refused(/gpfs/, 'ocfs2', mounts, /is OCFS2, whose locks dlm keeps/);
  writeBelow(site.a, '/sys/fs/ocfs2/cluster_stack', 'o2cb\n');
  await refused(/gpfs/, 'ocfs2', mounts, new RegExp(`is OCFS2, mounted so that its locks are ${each}`));
  await refused(/driver = "lockd"/, 'driver = "auto"', config, /driver is "auto", which needs no barrier/);
  await refused(
    /state_directory = .*\n\n*$/,
    'state_directory = "/other"\n',
    config,
    /different state directories/,
  );
});

test('while the process runs an event starts no Node: 40 addresses come and go, and are noted as the program does it', async (t) => {
  const run = mkdtempSync(path.join(tmpdir(), 'nlm-ctdb-'));
  t.teardown(() => rmSync(run, { recursive: true }));
  for (const name of ['ctdb', 'locks', 'serving', 'sync', 'frozen', 'bin']) mkdirSync(path.join(run, name));
  const cut = path.join(run, 'cut');
  const program = (name: string, text: string) =>
    writeFileSync(path.join(run, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  const here = '127.79.1.9';
  program('ip', `[ "$5" != ${here}/32 ] || echo '2: eth0 inet ${here}/24'`);
  program('ss', `echo "$*" >> ${cut}`);
  program('node', 'echo a Node was started; exit 1');
  const env = { PATH: `${path.join(run, 'bin')}:${process.env['PATH']}`, NLM_FAILOVER_RUN: run };
  const said = (number: '06' | '62', ...words: string[]) => {
    const script = path.join(projectRoot(), `callouts/ctdb/${number}.nlm-failover.script`);
    return execFileSync(script, words, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  };
  const last = (octet: number) => `127.79.2.${octet}`;
  const addressesOf = (count: number) => Array.from({ length: count }, (_, at) => last(at + 1));
  t.regex(said('06', 'takeip', 'eth0', last(1), '24'), /a Node was started/, 'nothing serves');
  t.is(movedNow(run), undefined);

  const serve = spawn('sh', ['-c', 'sleep 600; :', 'nlm-failover', 'serve'], {
    stdio: 'ignore',
    detached: true,
  });
  t.teardown(() => process.kill(-(serve.pid ?? 0), 'SIGKILL'));
  writeFileSync(path.join(run, 'locks/ctdb.holder'), `ctdb serve, pid ${serve.pid}\n`);
  await until(() => isServe(serve.pid ?? 0));
  const moved = new Set<string | undefined>();
  for (const address of [...addressesOf(40), 'fd00::1']) {
    t.is(said('06', 'takeip', 'eth0', address, '24'), '');
    moved.add(movedNow(run));
  }
  t.is(moved.size, 41, 'another word each time');
  t.not(settledMove(run), movedNow(run));
  t.is(said('62', 'ipreallocated'), '');
  t.is(settledMove(run), movedNow(run));
  for (const address of [...addressesOf(40), here])
    for (const kind of ['serving', 'sync', 'frozen']) symlinkSync('/journal', path.join(run, kind, address));
  for (const address of addressesOf(40)) t.is(said('62', 'releaseip', 'eth0', address, '24'), '');
  t.not(settledMove(run), movedNow(run));
  t.regex(said('62', 'releaseip', 'eth0', here, '24'), /is here \(again\): nothing was touched/);
  for (const kind of ['serving', 'sync', 'frozen']) t.deepEqual(readdirSync(path.join(run, kind)), [here]);
  t.deepEqual(
    readFileSync(cut, 'utf8').trim().split('\n'),
    addressesOf(40).map((address) => `-HtnK state connected src ${address}`),
  );
  t.is(said('06', 'startup') + said('06', 'startipreallocate') + said('62', 'recovered'), '');
  t.is(settledMove(run), movedNow(run));
  t.deepEqual(readdirSync(path.join(run, 'ctdb')).toSorted(), ['moved', 'settled']);
  t.is(statSync(path.join(run, 'ctdb/moved')).mode & 0o777, 0o600);
  // What is none of this is the program's to judge.
  for (const words of [[], ['eth0'], ['eth0', 'x', '24'], ['eth0', '10.1.1.1; reboot', '24']])
    t.regex(said('06', 'takeip', ...words), /a Node was started/);
  for (const words of [[], ['eth0', '../x', '24'], ['eth0', 'fd00::1', '64']])
    t.regex(said('62', 'releaseip', ...words), /a Node was started/);
});

test('what monitor says, and when it has the addresses moved', (t) => {
  const looked = { at: 100_000, phase: 'idle', generation: 3, wrong: [], remarks: [] };
  t.deepEqual(monitorText(looked, true, 101_000), { isUnwell: false, lines: [] });
  t.deepEqual(monitorText({ ...looked, remarks: ['1 client NOT NOTIFIED'] }, true, 101_000), {
    isUnwell: false,
    lines: ['1 client NOT NOTIFIED'],
  });
  t.true(monitorText({ ...looked, wrong: ['starting the lock manager: no'] }, true, 101_000).isUnwell);
  t.false(monitorText({ ...looked, phase: 'stopped' }, true, 101_000).isUnwell, 'it is about to start');
  t.true(monitorText(looked, false, 101_000).isUnwell);
  t.false(monitorText(undefined, true, 101_000).isUnwell);
  const still = monitorText(looked, true, 160_000);
  t.true(still.isUnwell);
  t.regex(still.lines[0] ?? '', /has stood still for 60 s \(generation 3: idle\)/);
});

test('monitor and the others wait for neither configuration nor storage; monitor killed at any point leaves nothing', async (t) => {
  const site = ctdbSite(t, 1);
  const { a } = site;
  endAfter(t, a);
  t.is((await event(a, '06', 'startup')).code, 0);
  await until(() => lastLooked(runOf(a)) !== undefined);
  // Whoever opens it waits for ever.
  a.remove('/etc/nlm-failover.toml');
  execFileSync('mkfifo', [a.config]);
  const { code, output } = await event(a, '62', 'monitor');
  t.is(code, 0, output);
  t.regex(output, /^$|^.* has changed, and is not taken, so that .*: this is not a regular file\n$/);
  for (const [number, ...words] of [
    ['06', 'takeip', 'eth0', moving, '24'],
    ['62', 'releaseip', 'eth0', moving, '24'],
    ['62', 'ipreallocated'],
    ['62', 'shutdown'],
  ] as const)
    t.is((await event(a, number, ...words)).code, 0, words.join(' '));
  const there = () => readdirSync(path.join(runOf(a), 'ctdb')).toSorted();
  for (const ms of [0, 30, 60, 120, 240]) {
    const { NLM_FAILOVER_RUN: _, ...inherited } = process.env;
    const child = spawn(path.join(projectRoot(), 'callouts/ctdb/62.nlm-failover.script'), ['monitor'], {
      detached: true,
      stdio: 'ignore',
      env: { ...inherited, NLM_FAILOVER_REHEARSAL: a.root, NLM_FAILOVER_CONFIG: a.config },
    });
    const ended = once(child, 'exit');
    await new Promise((resolve) => setTimeout(resolve, ms));
    // As ctdb-eventd ends one: with all that it has started.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await ended;
  }
  await until(() => there().every((name) => !name.startsWith('.')));
  t.deepEqual(
    there().filter((name) => !['closed', 'covered', 'log', 'looked', 'moved', 'settled'].includes(name)),
    [],
  );
  t.is((await event(a, '62', 'monitor')).code, 0);
});

test('the scripts are sh, and have nothing that shellcheck finds', (t) => {
  const directory = path.join(projectRoot(), 'callouts/ctdb');
  const files = ['06.nlm-failover.script', '62.nlm-failover.script', 'fence_nlm_failover', 'common.sh'];
  if (!isInstalled('shellcheck')) return t.log('skipped: no shellcheck here');
  t.notThrows(() => execFileSync('shellcheck', ['-x', '--shell=sh', ...files], { cwd: directory }));
});

test('typed with a file of the working directory, the process has that file, too', async (t) => {
  const { a } = ctdbSite(t, 1);
  endAfter(t, a);
  const program = path.join(projectRoot(), 'bin/nlm-failover');
  const { NLM_FAILOVER_RUN: _, NLM_FAILOVER_CONFIG: __, ...inherited } = process.env;
  execFileSync(program, ['--config', path.basename(a.config), 'ctdb', 'startup'], {
    cwd: path.dirname(a.config),
    env: { ...inherited, NLM_FAILOVER_REHEARSAL: a.root },
  });
  const log = () => readFileSync(path.join(runOf(a), 'ctdb/log'), 'utf8');
  await until(() => lastLooked(runOf(a)) !== undefined || log().includes('configuration file'));
  t.notRegex(log(), /configuration file/);
});
