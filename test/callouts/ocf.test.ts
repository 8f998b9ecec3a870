// The OCF agents, on a rehearsal host: what each action returns, and says. What a monitor sees of real daemons: test/wire/ocf-monitor.test.ts.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Argv } from '../../src/host/host.js';
import { rehearsalHost } from '../../src/host/rehearsal/rehearsal.js';
import { lockOperation } from '../../src/rundir/operation-lock.js';
import {
  type AgentName,
  agentEnvironment,
  agentFile,
  agents,
  allAgents,
  ocf,
  type Ran,
  runAgent,
} from '../helpers/ocf-agent.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { addClient } from '../helpers/rehearsal-steps.js';
import { projectRoot } from '../lab/project-root.js';

const address = '127.77.30.1';
const configFile = '/etc/nlm-failover.toml';
const library = path.join(projectRoot(), 'callouts/lib/ocf.sh');

interface Node {
  readonly a: RehearsalNode;
  readonly b: RehearsalNode;
  /** What the cluster manager gives an agent on a node. */
  readonly env: (node?: RehearsalNode) => Record<string, string>;
  /** Runs an action of an agent there. */
  readonly run: (name: AgentName, action: string, env?: Readonly<Record<string, string>>) => Promise<Ran>;
  /** Does something as one of the stock agents would. */
  readonly others: (...argv: Argv) => Promise<void>;
}

/** Two nodes; with `managed` the configuration says that others mount, export and move the address. */
function makeNode(t: ExecutionContext, { managed = false } = {}): Node {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const { a, b, directory } = site;
  // ocf-tester runs meta-data as nobody.
  chmodSync(directory, 0o755);
  for (const node of managed ? [a, b] : []) {
    const all = 'managed_by_others = ["mount", "export", "address"]';
    node.write(configFile, node.read(configFile).replace('interface = "eth0"', `interface = "eth0"\n${all}`));
  }
  const env = (node = a) => ({
    NLM_FAILOVER_REHEARSAL: node.root,
    OCF_RESKEY_address: address,
    OCF_RESKEY_config: node.config,
  });
  const host = rehearsalHost(a.root);
  return {
    a,
    b,
    env,
    run: (name, action, more = {}) => runAgent(agentFile(name), [action], { ...env(), ...more }),
    others: async (...argv) => {
      const { exitCode, stderr } = await host.run(argv);
      t.is(exitCode, 0, stderr);
    },
  };
}

/** Runs actions one after another, and compares what each returned. */
async function expectCodes(
  t: ExecutionContext,
  run: (action: string) => Promise<Ran>,
  steps: readonly (readonly [string, number])[],
): Promise<Ran[]> {
  const all: Ran[] = [];
  for (const [action, code] of steps) {
    const ran = await run(action);
    t.is(ran.code, code, `${action}: ${ran.stderr}`);
    all.push(ran);
  }
  return all;
}

const resourceAgents = '/usr/share/resource-agents';
const firstMissing = (...programs: readonly string[]) =>
  programs.find((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);

/** A test that needs programs of the cluster's world: skipped, saying which is not here. */
function testWith(
  programs: readonly string[],
  title: string,
  implementation: (t: ExecutionContext) => void | Promise<void>,
): void {
  const missing = firstMissing(...programs);
  if (missing === undefined) test(title, implementation);
  else test.skip(`${title} (no ${missing} here)`, implementation);
}

for (const name of allAgents) {
  testWith(
    ['xmllint'],
    `${name}: its meta-data is valid by the DTD of OCF 1.0, and its file may be run`,
    async (t) => {
      t.is(statSync(agentFile(name)).mode & 0o777, 0o755);
      const { code, stdout } = await runAgent(agentFile(name), ['meta-data'], {});
      t.is(code, ocf.success);
      execFileSync('xmllint', ['--noout', '--valid', '-'], { input: stdout, cwd: resourceAgents });
      const actions = [...stdout.matchAll(/<action name="([^"]*)"/g)].map(([, action]) => action);
      t.deepEqual(actions, ['start', 'stop', 'monitor', 'monitor', 'validate-all', 'meta-data']);
      const times = [...stdout.matchAll(/(?:timeout|interval)="([^"]*)"/g)].map(([, time]) => time ?? '');
      t.deepEqual(
        times.filter((time) => !/^\d+s$/.test(time)),
        [],
        'each time has its unit',
      );
      t.true(stdout.includes(`default="${path.join(projectRoot(), 'bin/nlm-failover')}"`));
    },
  );

  testWith(['shellcheck'], `${name}: shellcheck, as resource-agents runs it, has nothing to say`, (t) => {
    for (const file of name === 'address' ? [library, agentFile(name)] : [agentFile(name)]) {
      const options = ['-s', 'sh', '-f', 'gcc', '-x', '-e', 'SC1090,SC2039,SC2154,SC1087'];
      const { stdout } = spawnSync('shellcheck', [...options, file], { encoding: 'utf8' });
      t.is(stdout, '');
    }
  });
}

for (const name of agents) {
  test(`${name}: what it does not do is not implemented, and nothing at all is no stop`, async (t) => {
    const { run } = makeNode(t);
    for (const action of ['notify', 'promote', 'reload', 'migrate_to', 'usage', '', 'no_cmd'])
      t.is((await run(name, action)).code, ocf.unimplemented, action);
    const { code, stderr } = await runAgent(agentFile(name), ['stop'], {});
    t.is(code, ocf.success, stderr);
  });

  test(`${name}: the environment that it is given`, async (t) => {
    const { run, a } = makeNode(t);
    const without = { OCF_RESKEY_address: '' };
    const [missing] = await expectCodes(t, (action) => run(name, action, without), [
      ['validate-all', ocf.configured],
      ['start', ocf.configured],
      ['monitor', ocf.configured],
      ['stop', ocf.success],
    ]);
    t.regex(
      missing?.reasons.join('\n') ?? '',
      /^the parameter address is missing: give .* such as 10\.10\.1\.1$/,
    );
    const noConfig = { OCF_RESKEY_config: path.join(a.root, 'no_such.toml') };
    const [, start] = await expectCodes(t, (action) => run(name, action, noConfig), [
      ['validate-all', ocf.args],
      ['start', ocf.args],
      ['monitor', ocf.notRunning],
      ['stop', ocf.success],
    ]);
    t.regex(
      start?.reasons.join('\n') ?? '',
      /^there is no file \/.*no_such\.toml on this node: .* in the parameter config$/,
    );
    const directory = await run(name, 'monitor', { OCF_RESKEY_config: a.root });
    t.is(directory.code, ocf.notRunning);
    t.is(directory.stderr, '', 'nothing reads a directory');
    const noProgram = { OCF_RESKEY_program: '/no/such/nlm-failover', OCF_CHECK_LEVEL: '10' };
    await expectCodes(t, (action) => run(name, action, noProgram), [
      ['validate-all', ocf.installed],
      ['start', ocf.installed],
      ['monitor', ocf.notRunning],
      ['stop', ocf.success],
    ]);
    const other = await run(name, 'start', { OCF_RESKEY_address: '127.77.30.2' });
    t.is(other.code, ocf.args);
    t.regex(
      other.reasons.join('\n'),
      /^"127\.77\.30\.2" is not a floating IP of .*: configured are 127\.77\.30\.1/,
    );
  });

  test(`${name}: each mistake in the configuration is in its reason, and another node may start it`, async (t) => {
    const { run, a } = makeNode(t);
    const config = path.join(a.root, 'mistakes.toml');
    writeFileSync(config, a.read('/etc/nlm-failover.toml').replace(/^interface/m, 'interfce'));
    for (const action of ['validate-all', 'start']) {
      const { code, reasons } = await run(name, action, { OCF_RESKEY_config: config });
      t.is(code, ocf.args, action);
      t.is(reasons.length, 1);
      t.regex(
        reasons[0] ?? '',
        /interface is missing: .*; .*interfce.*: unknown key; did you mean "interface"\?.* See nlm-failover/,
      );
    }
  });

  test(`${name}: a hostile address is refused, and does nothing`, async (t) => {
    const { run, a } = makeNode(t);
    const canary = path.join(a.root, 'pwned');
    const addresses = [
      `$(touch ${canary})`,
      `\`touch ${canary}\``,
      `127.77.30.1; touch ${canary}`,
      `127.77.30.1\ntouch ${canary}`,
      '127.77.30.1\n',
      '../127.77.30.1',
      '..',
      '-x',
      '*',
      '127.77.30.1/24',
      'A'.repeat(100_000),
    ];
    // One library judges for all of them.
    for (const hostile of name === 'address' ? addresses : addresses.slice(3, 6)) {
      const given = { OCF_RESKEY_address: hostile };
      const [, start] = await expectCodes(t, (action) => run(name, action, given), [
        ['validate-all', ocf.configured],
        ['start', ocf.configured],
        ['monitor', ocf.configured],
        ['stop', ocf.success],
      ]);
      t.is(start?.reasons.length, 1, 'one line, without what was given');
      t.regex(start?.reasons[0] ?? '', /^address must be that of a \[\[floating_ip\]\]/);
    }
    for (const parameter of ['OCF_RESKEY_config', 'OCF_RESKEY_program', 'OCF_RESOURCE_INSTANCE'])
      for (const hostile of [`$(touch ${canary})`, `x; touch ${canary}`, '--help', `a\ntouch ${canary}`])
        await run(name, 'monitor', { [parameter]: hostile, OCF_CHECK_LEVEL: '10' });
    t.not((await run(name, 'start', { OCF_RESKEY_config: `--help\ntouch ${canary}` })).code, ocf.success);
    // A line of its own would be another reason.
    for (const parameter of ['OCF_RESKEY_config', 'OCF_RESKEY_program']) {
      const start = await run(name, 'start', { [parameter]: '/x\nocf-exit-reason:all is well\t\u001b[2J' });
      t.deepEqual(
        start.reasons.map((reason) => /\/x\?ocf-exit-reason:all is well\?\?\[2J\b/.test(reason)),
        [true],
        start.stderr,
      );
    }
    t.false(existsSync(canary));
  });
}

test('a stop says as which resource, and none that cannot be one', async (t) => {
  const { a, run } = makeNode(t);
  t.is((await run('address', 'start')).code, ocf.success);
  const program = path.join(path.dirname(a.config), 'program');
  writeFileSync(program, '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
  const stop = async (resource: string) =>
    (
      await run('address', 'stop', {
        OCF_RESKEY_program: program,
        OCF_RESKEY_crm_feature_set: '3.16.1',
        OCF_RESOURCE_INSTANCE: resource,
      })
    ).stdout;
  t.regex(await stop('nfs1'), /^release .* --resource=nfs1$/m);
  for (const none of ['nfs1:0', '-x', '1', 'a b', 'a\nb', ''])
    t.notRegex(await stop(none), /--resource/, none);
});

for (const shell of [['dash'], ['bash', '--posix'], ['busybox', 'sh']]) {
  test(`under ${shell.join(' ')} a monitor tells what runs from what does not`, async (t) => {
    const { a, env } = makeNode(t);
    const monitor = async () => (await runAgent(agentFile('address'), ['monitor'], env(), shell)).code;
    t.is(await monitor(), ocf.notRunning);
    t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
    t.is(await monitor(), ocf.success);
    a.write('/proc/fs/nfsd/threads', '0\n');
    t.is(await monitor(), ocf.generic);
  });
}

test('an address: started, looked at, stopped, each as often as one likes', async (t) => {
  t.timeout(120_000);
  const { a, run } = makeNode(t);
  await expectCodes(t, (action) => run('address', action), [
    ['monitor', ocf.notRunning],
    ['validate-all', ocf.success],
    ['start', ocf.success],
    ['monitor', ocf.success],
    ['start', ocf.success],
    ['validate-all', ocf.success],
  ]);
  t.is((await run('address', 'monitor', { OCF_CHECK_LEVEL: '10' })).code, ocf.success);
  const status = await a.here(['status', address]);
  t.is(status.exitCode, 0, status.stdout);
  await expectCodes(t, (action) => run('address', action), [
    ['stop', ocf.success],
    ['monitor', ocf.notRunning],
    ['stop', ocf.success],
  ]);
  t.is(a.read('/proc/self/mountinfo'), '');
});

test('what is partly here is no stopped resource, and each part that is missing is named', async (t) => {
  t.timeout(120_000);
  const { a, run, others } = makeNode(t);
  const monitor = () => run('address', 'monitor');
  const says = async (sentence: RegExp) => {
    const { code, reasons } = await monitor();
    t.is(code, ocf.generic);
    t.regex(reasons.join('\n'), sentence);
  };
  // What somebody else has mounted in the place of a volume is not the address's, and must not stop it where it is served.
  const nothing = a.read('/proc/self/mountinfo');
  a.write('/proc/self/mountinfo', '1 0 9:9 / /mnt/vol1 rw - ext4 /dev/restored rw\n');
  t.is((await monitor()).code, ocf.notRunning);
  t.is((await run('address', 'monitor', { OCF_RESKEY_program: '/bin/false' })).code, ocf.generic);
  a.write('/proc/self/mountinfo', nothing);
  await others('mount', '-t', 'ext4', '/dev/vol1', '/mnt/vol1');
  await says(/^127\.77\.30\.1 is served here, and not well: a volume of it is mounted/);
  const unasked = await run('address', 'monitor', { OCF_RESKEY_program: '/bin/false' });
  t.deepEqual(unasked.reasons, ['/mnt/vol1 is mounted, and 127.77.30.1 is not served here']);
  t.is((await run('address', 'start')).code, ocf.success);

  const up = a.read('/addresses.json');
  a.write('/addresses.json', '[]');
  await says(/^127\.77\.30\.1 is not up$/);
  a.write('/addresses.json', up);
  a.write('/proc/fs/nfsd/threads', '0\n');
  await says(/^nfsd has no threads$/);
  a.write('/proc/fs/nfsd/threads', '8\n');
  t.is((await a.here(['release', '--freeze', address])).exitCode, 0);
  await says(/^its clients are still to be notified \(B-3\)$/);
  // A release of another address does that too, for as long as it lasts.
  const beside = lockOperation(path.join(a.root, 'run/nlm-failover'), '127.77.30.2', 'release');
  t.is((await monitor()).code, ocf.success);
  beside.release();
  await says(/^its clients are still to be notified \(B-3\)$/);
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  t.is((await monitor()).code, ocf.success);
  // Seen at depth 10 alone.
  const exported = a.read('/var/lib/nfs/etab');
  a.write('/var/lib/nfs/etab', '');
  t.is((await monitor()).code, ocf.success);
  const deep = await run('address', 'monitor', { OCF_CHECK_LEVEL: '10' });
  t.is(deep.code, ocf.generic);
  t.regex(
    deep.reasons.join('\n'),
    /^127\.77\.30\.1 is served here, and not well: \/mnt\/vol1 is not exported$/,
  );
  a.write('/var/lib/nfs/etab', exported);
  const journal = path.join(a.root, 'run/nlm-failover/serving', address);
  rmSync(journal);
  symlinkSync('/nowhere', journal);
  await says(/^its journal is gone, so that no client is recorded$/);
  rmSync(journal);
  await says(/^its clients are not recorded$/);
});

test('a mistake in the configuration stops nothing that is served', async (t) => {
  t.timeout(60_000);
  const { a, run } = makeNode(t);
  t.is((await run('address', 'start')).code, ocf.success);
  const right = a.read(configFile);
  a.write(configFile, right.replace('fsid = 1234', 'fsid = "?"'));
  const { code, stderr } = await run('address', 'monitor', { OCF_CHECK_LEVEL: '10' });
  t.is(code, ocf.success);
  t.regex(stderr, /^127\.77\.30\.1 could not be looked at closely: .*fsid/m);
  const note = path.join(a.root, 'run/nlm-failover/configured');
  renameSync(note, `${note}.away`);
  const [stop] = await expectCodes(t, (action) => run('address', action), [['stop', ocf.generic]]);
  t.regex(stop?.reasons.join('\n') ?? '', /fsid/);
  renameSync(`${note}.away`, note);
  const byNote = await run('address', 'stop');
  t.is(byNote.code, ocf.success, byNote.stderr);
  t.is(a.read('/proc/self/mountinfo') + a.read('/var/lib/nfs/etab'), '');
  t.is((await run('address', 'stop')).code, ocf.success, 'nothing is here');
  // The same where there is no such file any more.
  a.write(configFile, right);
  t.is((await run('address', 'start')).code, ocf.success);
  const gone = await run('address', 'stop', { OCF_RESKEY_config: path.join(a.root, 'no_such.toml') });
  t.is(gone.code, ocf.success, gone.stderr);
  t.is(a.read('/proc/self/mountinfo') + a.read('/var/lib/nfs/etab'), '');
});

test('a stop that cannot unmount fails with the sentence of the command, and so does one that must not touch a lock', async (t) => {
  t.timeout(120_000);
  const { a, run, others } = makeNode(t);
  t.is((await run('address', 'start')).code, ocf.success);
  a.write('/umount-fails', 'target is busy');
  const { code, reasons } = await run('address', 'stop');
  t.is(code, ocf.generic);
  t.is(reasons.length, 1);
  t.regex(
    reasons[0] ?? '',
    /^umount \/mnt\/vol1: umount: \/mnt\/vol1: target is busy; tried for .*\. A lock .* may hold it\. /,
  );
  t.is((await run('address', 'monitor')).code, ocf.generic);
  a.remove('/umount-fails');
  t.is((await run('address', 'stop')).code, ocf.success);
  await others('ip', 'address', 'add', `${address}/24`, 'dev', 'eth1');
  t.is((await run('address', 'stop')).code, ocf.success, 'wherever it is up');
});

/** A takeover, and a stop that could not unmount: the address is down, and the volumes are mounted. */
async function halfReleased(t: ExecutionContext): Promise<Node> {
  t.timeout(120_000);
  const node = makeNode(t);
  const { a, run } = node;
  t.is((await run('address', 'start')).code, ocf.success);
  t.is(statSync(path.join(a.root, 'run/nlm-failover/mounts')).mode & 0o777, 0o700);
  t.is(statSync(path.join(a.root, 'run/nlm-failover/mounts', address)).mode & 0o777, 0o600);
  a.write('/umount-fails', 'target is busy');
  t.is((await run('address', 'stop')).code, ocf.generic);
  a.remove('/umount-fails');
  t.false(existsSync(path.join(a.root, 'run/nlm-failover/serving', address)));
  t.regex(a.read('/proc/self/mountinfo'), /\/mnt\/vol1/);
  return node;
}

test('a stop without a usable configuration fails as long as a volume is mounted, whatever is left of it', async (t) => {
  const { a, run, others } = await halfReleased(t);
  const right = a.read(configFile);
  // Of a version that noted no configuration.
  rmSync(path.join(a.root, 'run/nlm-failover/configured'), { recursive: true });
  const ways: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    [right, { OCF_RESKEY_config: path.join(a.root, 'no_such.toml') }],
    [right, { OCF_RESKEY_program: '/no/such/nlm-failover', OCF_RESKEY_config: '/no/such.toml' }],
    ['', {}],
    ['fsid = "?"\n', {}],
    [right.replaceAll(address, '127.77.30.2'), {}],
    [right.replaceAll('/mnt/', '/srv/').replace('fsid = 1234', 'fsid = "?"'), {}],
  ];
  const stops = async (code: number) => {
    for (const [text, env] of ways) {
      a.write(configFile, text);
      const stop = await run('address', 'stop', env);
      t.is(stop.code, code, `${JSON.stringify(env)} ${text}: ${stop.stderr}`);
      if (code === ocf.generic) t.regex(stop.stderr, /\/mnt\/(?:vol|state)1 is mounted, and/);
    }
  };
  await stops(ocf.generic);
  // One of them is enough.
  await others('umount', '/mnt/vol1');
  await stops(ocf.generic);
  await others('umount', '/mnt/state1');
  // What is noted and not mounted fences nobody.
  t.true(existsSync(path.join(a.root, 'run/nlm-failover/mounts', address)));
  await stops(ocf.success);
  // A reboot: neither is there any more.
  rmSync(path.join(a.root, 'run/nlm-failover'), { recursive: true });
  await stops(ocf.success);
});

test('a mount that a killed start has left is waited for, by whatever a stop goes', async (t) => {
  t.timeout(180_000);
  const { a, run } = makeNode(t);
  const process = (name: string, uid: number, ...args: readonly string[]) => {
    mkdirSync(path.join(a.root, 'proc/4242'), { recursive: true });
    a.write('/proc/4242/comm', `${name}\n`);
    a.write('/proc/4242/status', `Name:\t${name}\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\nGid:\t0\n`);
    a.write('/proc/4242/cmdline', [name, ...args].map((word) => `${word}\0`).join(''));
  };
  a.write(configFile, `${a.read(configFile)}\n[timeouts]\nbusy = 1\n`);
  const right = a.read(configFile);
  const broken = right.replace('fsid = 1234', 'fsid = "?"');
  const stop = async (text: string) => {
    a.write(configFile, text);
    return run('address', 'stop');
  };
  const mount = ['mount', '-t', 'ext4', '/dev/vol1', '/mnt/vol1'] as const;
  process('mount', 0, ...mount.slice(1));
  for (const text of [broken, right]) {
    const { code, reasons } = await stop(text);
    t.is(code, ocf.generic);
    t.regex(
      reasons.join('\n'),
      /mount \(pid 4242\) still works on (?:a volume of it|\/dev\/vol1 or \/mnt\/vol1)/,
    );
  }
  a.write(configFile, right);
  const status = await a.here(['status', '--is-served', address]);
  t.is(status.exitCode, 1, status.stdout);
  t.regex(status.stdout, /mount \(pid 4242\) still works on \/dev\/vol1 or \/mnt\/vol1/);
  t.is((await run('address', 'monitor')).code, ocf.generic, 'a probe');
  // Others' processes, and what has to do with something else.
  for (const [uid, args] of [
    [1000, mount],
    [0, ['less', '/mnt/vol1']],
    [0, ['mount', '/dev/vol9', '/mnt/vol9']],
  ] as const) {
    const [name, ...rest] = args;
    process(name, uid, ...rest);
    for (const text of [broken, right])
      t.is((await stop(text)).code, ocf.success, `${uid} ${args.join(' ')}`);
  }
  for (const args of [
    ['umount', '/mnt/vol1'],
    ['fsck.ext4', '-p', '/dev/vol1'],
    ['xfs_repair', '/dev/state1'],
  ]) {
    const [name = '', ...rest] = args;
    process(name, 0, ...rest);
    t.is((await a.here(['status', '--is-served', address])).exitCode, 1, args.join(' '));
  }
  t.is((await stop(broken)).code, ocf.generic, 'xfs_repair');
});

test('a start and a stop wait for a command that somebody runs by hand', async (t) => {
  const { a, env } = makeNode(t);
  const waiting = /^waiting: Another nlm-failover is working on 127\.77\.30\.1 on this node/gm;
  for (const action of ['start', 'stop']) {
    const lock = lockOperation(path.join(a.root, 'run/nlm-failover'), address, 'release');
    const heard = (stderr: string) => {
      if (waiting.test(stderr)) lock.release();
    };
    const { code, stderr } = await runAgent(agentFile('address'), [action], env(), [], heard);
    t.is(code, ocf.success, stderr);
    t.is(stderr.match(waiting)?.length, 1, stderr);
  }
});

test('a start that is refused says why: another node has the address', async (t) => {
  t.timeout(60_000);
  const { b, run } = makeNode(t);
  t.is((await b.here(['takeover', address, '--no-wait'])).exitCode, 0);
  const { code, reasons } = await run('address', 'start');
  t.is(code, ocf.generic);
  t.regex(reasons.join('\n'), /B (?:owns|has) .*127\.77\.30\.1|has not released/);
  t.is((await run('address', 'stop')).code, ocf.success);
  t.is((await run('address', 'monitor')).code, ocf.notRunning);
});

test('a start succeeds where a client could not be notified, and the log says so', async (t) => {
  t.timeout(60_000);
  const { a, run } = makeNode(t);
  t.is((await run('address', 'start')).code, ocf.success);
  addClient(a, '127.77.30.99');
  t.is((await run('address', 'stop')).code, ocf.success);
  a.write(configFile, `${a.read(configFile)}\n[timeouts]\nB-3 = 1\n`);
  const { code, stderr, reasons } = await run('address', 'start');
  t.is(code, ocf.success, stderr);
  t.deepEqual(reasons, []);
  t.regex(stderr, /NOT NOTIFIED: 127\.77\.30\.99/);
  t.regex(stderr, /^takeover of 127\.77\.30\.1 ended with 5, and the address is served: /m);
});

/** Stands for nlm-failover: takeover serves, as far as a monitor looks, and each command ends as the case has it. */
const standIn = `#!/bin/sh
case $1 in
status) echo '${address} is not served here'; exit 7 ;;
takeover)
  mkdir -p "$NLM_FAILOVER_REHEARSAL/run/nlm-failover/serving"
  ln -sf /proc/self/status "$NLM_FAILOVER_REHEARSAL/run/nlm-failover/serving/${address}"
  echo '[{"ifname":"eth0","addr_info":[{"local":"${address}","prefixlen":24}]}]' >"$NLM_FAILOVER_REHEARSAL/addresses.json"
  echo 8 >"$NLM_FAILOVER_REHEARSAL/proc/fs/nfsd/threads"
  ;;
esac
printf 'nlm-failover: a sentence\\n  and what to do\\n' >&2
exit CODE
`;

test('each exit code of the command, in the words of OCF', async (t) => {
  const { generic, success, installed } = ocf;
  const codes: readonly [code: number, start: number, stop: number][] = [
    [0, success, success],
    [1, generic, generic],
    // Nothing was touched, and nothing is here.
    [2, generic, success],
    [3, generic, success],
    [4, generic, generic],
    [5, success, generic],
    [6, success, generic],
    [127, installed, success],
    [137, generic, generic],
  ];
  for (const [code, start, stop] of codes) {
    const { a, run } = makeNode(t);
    const program = path.join(a.root, 'nlm-failover');
    writeFileSync(program, standIn.replace('CODE', `${code}`), { mode: 0o755 });
    const given = { OCF_RESKEY_program: program };
    const started = await run('address', 'start', given);
    t.is(started.code, start, `start, ${code}: ${started.stderr}`);
    const stopped = await run('address', 'stop', given);
    t.is(stopped.code, stop, `stop, ${code}: ${stopped.stderr}`);
    if (start === generic) t.deepEqual(started.reasons, ['a sentence. and what to do']);
    if (stop === generic) t.deepEqual(stopped.reasons, ['a sentence. and what to do']);
  }
});

/** The group around our agents, as Pacemaker starts it and stops it. */
const group = {
  mount: async ({ others }: Node) => {
    await others('mount', '-t', 'ext4', '/dev/state1', '/mnt/state1');
    await others('mount', '-t', 'ext4', '/dev/vol1', '/mnt/vol1');
  },
  export: async ({ others }: Node) => {
    await others('exportfs', '-i', '-o', 'rw,fsid=1234', '*:/mnt/vol1');
  },
  up: async ({ others }: Node) => {
    await others('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
  },
  down: async ({ others }: Node) => {
    await others('ip', 'address', 'del', `${address}/24`, 'dev', 'eth0');
  },
  unexport: async ({ others }: Node) => {
    await others('exportfs', '-u', '*:/mnt/vol1');
  },
  unmount: async ({ others }: Node) => {
    await others('umount', '/mnt/vol1');
    await others('umount', '/mnt/state1');
  },
};

test('a group: recorded from before the exports until after them, and nobody leaves the record while it stops', async (t) => {
  t.timeout(120_000);
  const node = makeNode(t, { managed: true });
  const { a, run } = node;
  const codes = async (locks: number, notify: number) => {
    t.is((await run('locks', 'monitor')).code, locks);
    t.is((await run('notify', 'monitor')).code, notify);
  };
  const clients = async () => {
    const { stdout } = await a.here(['clients', address, '--json']);
    return [...stdout.matchAll(/"client":"([^"]*)"/g)].map(([, client]) => client);
  };
  t.is((await run('locks', 'start')).code, ocf.generic, 'nothing is mounted');
  t.is((await run('locks', 'stop')).code, ocf.success);
  await group.mount(node);
  t.is((await run('notify', 'start')).code, ocf.generic, 'nobody is recorded');
  await codes(ocf.notRunning, ocf.notRunning);
  t.is((await run('locks', 'start')).code, ocf.success);
  await codes(ocf.success, ocf.notRunning);
  t.is((await run('locks', 'monitor', { OCF_CHECK_LEVEL: '10' })).code, ocf.success, 'the rest comes later');
  const early = await run('notify', 'start');
  t.is(early.code, ocf.generic);
  t.regex(early.reasons.join('\n'), /^\/mnt\/vol1 is not exported, and nlm-failover does not export it/);
  await group.export(node);
  t.regex(
    (await run('notify', 'start')).reasons.join('\n'),
    /^127\.77\.30\.1 is not up, and nlm-failover does not move it/,
  );
  await group.up(node);
  t.is((await run('notify', 'start')).code, ocf.success);
  await codes(ocf.success, ocf.success);
  for (const name of ['locks', 'notify'] as const)
    t.is((await run(name, 'monitor', { OCF_CHECK_LEVEL: '10' })).code, ocf.success);
  addClient(a, '127.77.30.91');
  addClient(a, '127.77.30.92');
  addClient(a, '127.77.30.92', 'del-client');

  t.is((await run('notify', 'stop')).code, ocf.success);
  await codes(ocf.success, ocf.notRunning);
  // Until the address is down somebody may still come; and what exportfs drops with its locks, leaves nobody out.
  addClient(a, '127.77.30.93');
  addClient(a, '127.77.30.91', 'del-client');
  t.deepEqual(await clients(), ['127.77.30.91', '127.77.30.93']);
  const early2 = await run('locks', 'stop');
  t.is(early2.code, ocf.generic, 'the address is up');
  t.regex(early2.reasons.join('\n'), /still up on eth0, .*: no lock was touched/);
  await group.down(node);
  await group.unexport(node);
  a.write('/proc/locks', '1: POSIX  ADVISORY  WRITE 7 07:01:11 0 EOF\n');
  t.is((await run('locks', 'stop')).code, ocf.success);
  t.is(a.read('/proc/locks'), '');
  for (const kind of ['serving', 'frozen'])
    t.deepEqual(readdirSync(path.join(a.root, 'run/nlm-failover', kind)), [], kind);
  await codes(ocf.notRunning, ocf.notRunning);
  t.deepEqual(await clients(), ['127.77.30.91', '127.77.30.93']);
  const { stdout } = await a.here(['status', address]);
  t.regex(stdout, /owner +A, epoch \d+, released/);
  await group.unmount(node);
  t.is((await run('locks', 'stop')).code, ocf.success);
});

test('the last of a group stopped and started by itself loses nobody, and notifies nobody twice', async (t) => {
  t.timeout(120_000);
  const node = makeNode(t, { managed: true });
  const { a, run } = node;
  await group.mount(node);
  t.is((await run('locks', 'start')).code, ocf.success);
  await group.export(node);
  await group.up(node);
  t.is((await run('notify', 'start')).code, ocf.success);
  t.is((await run('notify', 'stop')).code, ocf.success);
  t.is((await run('notify', 'stop')).code, ocf.success);
  const frozen = await a.here(['status', address, '--is-served']);
  t.is(frozen.exitCode, 1);
  t.regex(frozen.stdout, /nobody leaves its record, as its clients are still to be notified \(B-3\)/);
  addClient(a, '127.77.30.91');
  const again = await run('notify', 'start');
  t.is(again.code, ocf.success);
  t.regex(again.stdout, /B-3 .* skipped/);
  addClient(a, '127.77.30.91', 'del-client');
  const { stdout } = await a.here(['status', address, '--json']);
  t.like(JSON.parse(stdout), { here: { recording: true }, record: { clients: 0 } });
});

testWith(['ocf-tester', 'xmllint'], 'ocf-tester has nothing against any of them', async (t) => {
  t.timeout(300_000);
  // It runs meta-data as nobody, who does not get into everybody's home: agents where they do.
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-ocf-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  chmodSync(directory, 0o755);
  execFileSync('cp', ['-rp', path.join(projectRoot(), 'callouts'), directory]);
  const program = path.join(projectRoot(), 'bin/nlm-failover');
  const tester = (name: AgentName, { env, a }: Node) => {
    const settings = [`address=${address}`, `config=${a.config}`, `program=${program}`];
    const given = settings.flatMap((one) => ['-o', one]);
    const { NLM_FAILOVER_REHEARSAL = '' } = env();
    const { status, stdout, stderr } = spawnSync(
      'ocf-tester',
      ['-n', `nfs-${address}-${name}`, ...given, path.join(directory, 'callouts/ocf', name)],
      {
        env: agentEnvironment({ NLM_FAILOVER_REHEARSAL }),
        encoding: 'utf8',
      },
    );
    t.is(status, 0, stdout + stderr);
    t.regex(stdout, /passed all tests/);
    t.notRegex(stdout, /^\* rc=/m);
  };
  tester('address', makeNode(t));
  const managed = makeNode(t, { managed: true });
  await group.mount(managed);
  tester('locks', managed);
  t.is((await managed.run('locks', 'start')).code, ocf.success);
  await group.export(managed);
  await group.up(managed);
  tester('notify', managed);
});

test('it is the agent of its own installation, by a linked directory and by a linked file', async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-ocf-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const home = path.join(directory, 'home');
  for (const part of ['bin', 'callouts/lib', 'callouts/ocf', 'elsewhere'])
    mkdirSync(path.join(home, part), { recursive: true });
  for (const [from, to] of [
    [agentFile('address'), 'callouts/ocf/address'],
    [library, 'callouts/lib/ocf.sh'],
  ] as const)
    execFileSync('cp', ['-p', from, path.join(home, to)]);
  const tool = path.join(home, 'bin/nlm-failover');
  writeFileSync(tool, '#!/bin/sh\necho "$0 $*" >&2\nexit 3\n', { mode: 0o755 });
  symlinkSync(path.join(home, 'callouts/ocf'), path.join(directory, 'provider'));
  symlinkSync(path.join(home, 'callouts/ocf/address'), path.join(home, 'elsewhere/address'));
  for (const file of [path.join(directory, 'provider/address'), path.join(home, 'elsewhere/address')]) {
    const { code, stderr, stdout } = await runAgent(file, ['validate-all'], {
      OCF_RESKEY_address: '10.0.0.1',
    });
    t.is(code, ocf.args, stderr + stdout);
    t.regex((await runAgent(file, ['meta-data'], {})).stdout, new RegExp(`default="${tool}"`));
  }
});
