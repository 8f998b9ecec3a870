// nlm-failover ganesha-ha with Pacemaker's own tools, on a CIB in a file: what is written, where the addresses then are, and who comes home.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { clusterToolsMissing, emptyCib, type Ended, PaperCluster } from '../site/pacemaker/cluster-tools.js';
import { formats } from '../../src/site/pacemaker/formats.js';
import { projectRoot } from '../lab/project-root.js';
import { waitFor } from './wait-for.js';
import { normalised, simulated, succeeded, withoutVersion } from '../site/pacemaker/simulated.js';

const missing = clusterToolsMissing();
const clusterTest = missing === undefined ? test : test.skip;
const title = (text: string) => (missing === undefined ? text : `${text} (${missing})`);

const addresses = ['10.10.1.1', 'fd00::2', '10.10.1.3'];

/** `nodes` as the file has them; an address for each of the first `count`. */
function toml(nodes: readonly string[], count: number, state = '/srv/state'): string {
  const ips = addresses.slice(0, count).map(
    (address) => `
[[floating_ip]]
address = "${address}/${address.includes(':') ? 64 : 24}"
interface = "eth0"
`,
  );
  return `
node = "${nodes[0] ?? ''}"
[state]
directory = "${state}"
[lock_manager]
driver = "ganesha"
[[shared_filesystem]]
export_id = 77
path = "/gv"
nodes = [${nodes.map((name) => `"${name}"`).join(', ')}]
${ips.join('')}`;
}

function cluster(
  t: ExecutionContext,
  nodes: readonly string[],
  count: number,
  fencing = 'true',
): PaperCluster {
  t.timeout(120_000);
  const paper = new PaperCluster(toml(nodes, count), emptyCib({ nodes, fencing }));
  t.teardown(() => paper.remove());
  return paper;
}

const ha = (paper: PaperCluster, ...args: readonly string[]): Promise<Ended> =>
  paper.command('ganesha-ha', ...args);

/** What the agent says on a node, of all of them. */
function say(paper: PaperCluster, well: readonly string[]): void {
  const without = paper.read().replaceAll(/\s*<transient_attributes.*?<\/transient_attributes>/gs, '');
  paper.write(
    without.replaceAll(
      /<node_state id="(\d)" uname="(\w+)"[^>]*>/g,
      (state: string, id: string, name: string) =>
        well.includes(name)
          ? `${state}<transient_attributes id="${id}"><instance_attributes id="status-${id}"><nvpair id="status-${id}-well" name="nlm-failover-ganesha" value="1"/></instance_attributes></transient_attributes>`
          : state,
    ),
  );
}

const applied = ['--format', 'xml', '--apply'];

const ids = ['nfs-10.10.1.1', 'nfs-fd00--2', 'nfs-10.10.1.3'];
const home = async (t: ExecutionContext, paper: PaperCluster, options: readonly string[] = []) => {
  const { places } = await simulated(t, paper, options);
  return ids.map((id) => places.get(id) ?? '').filter((name) => name !== '');
};

clusterTest(
  title('what pcs, crm and cibadmin are told is the same CIB, and teardown leaves nothing of it'),
  async (t) => {
    const made = await Promise.all(
      formats.map(async (format) => {
        const paper = cluster(t, ['A', 'B'], 2);
        const before = paper.read();
        const printed = succeeded(
          t,
          await ha(paper, 'setup', '--format', format, '--unit', 'nfs-ganesha.service'),
        );
        succeeded(t, await paper.run(['sh'], printed));
        succeeded(t, await paper.run(['crm_verify', '--live-check', '--verbose']));
        const written = paper.read();
        t.is(succeeded(t, await ha(paper, 'refresh', '--format', format)), '', 'nothing is to be printed');
        t.is(paper.read(), written);
        if (format === 'crm') {
          const removed = succeeded(t, await ha(paper, 'teardown', '--apply'));
          t.regex(removed, /removed +nfs-ganesha-clone: clone of ocf:nlm-failover:ganesha\n/);
          t.deepEqual(withoutVersion(paper.read()), withoutVersion(before));
        }
        return normalised(written.replaceAll(paper.directory, ''));
      }),
    );
    const [first] = made;
    t.true((first?.length ?? 0) > 60);
    t.true(first?.some((line) => line.includes('name=unit value=nfs-ganesha.service')));
    for (const one of made) t.deepEqual(one, first);
  },
);

clusterTest(title('an address is where all is well, leaves that node, and comes home'), async (t) => {
  const nodes = ['A', 'B', 'C'];
  const paper = cluster(t, nodes, 3);
  succeeded(t, await ha(paper, 'setup', ...applied));
  t.deepEqual(await home(t, paper), [], 'nobody has said yet that all is well');
  say(paper, nodes);
  t.deepEqual(await home(t, paper), nodes);

  // NFS-Ganesha dies on B: its address waits neither for the other nodes nor for another start there.
  say(paper, ['A', 'C']);
  const failed = await simulated(t, paper, ['--op-inject', 'nfs-ganesha_monitor_10000@B=1']);
  t.deepEqual(
    ids.map((id) => failed.places.get(id)),
    ['A', 'A', 'C'],
  );
  t.false([...failed.graph.keys()].includes('nfs-ganesha_stop_0'), 'B answers calls into grace still');
  say(paper, nodes);
  t.deepEqual(await home(t, paper), nodes, 'it comes home');
  // The cluster starts it: the address waits for no new start of it, and the node answers until it is up elsewhere.
  succeeded(t, await ha(paper, 'refresh', ...applied, '--unit', 'nfs-ganesha.service'));
  await simulated(t, paper, []);
  say(paper, ['A', 'C']);
  const started = await simulated(t, paper, ['--op-inject', 'nfs-ganesha_monitor_10000@B=1']);
  t.is(started.places.get('nfs-fd00--2'), 'A');
  t.false(started.waitsFor('nfs-fd00--2_start_0', 'nfs-ganesha_start_0'));
  t.true(started.waitsFor('nfs-ganesha_stop_0', 'nfs-fd00--2_start_0'));
  say(paper, nodes);
  t.deepEqual(await home(t, paper), nodes);

  // A node that is fenced first.
  const lost = await simulated(t, paper, ['--node-fail', 'B']);
  t.is(lost.places.get('nfs-fd00--2'), 'A');
  t.true(lost.waitsFor('nfs-fd00--2_start_0', 'stonith-B-reboot'));
});

clusterTest(title('a node stops: what it has goes first, and what watches it last'), async (t) => {
  const paper = cluster(t, ['A', 'B'], 2);
  succeeded(t, await ha(paper, 'setup', ...applied));
  say(paper, ['A', 'B']);
  t.deepEqual(await home(t, paper), ['A', 'B']);
  succeeded(t, await paper.run(['crm_attribute', '--node', 'B', '--name', 'standby', '--update', 'on']));
  const stopped = await simulated(t, paper, []);
  t.is(stopped.places.get('nfs-fd00--2'), 'A');
  t.true(stopped.waitsFor('nfs-ganesha_stop_0', 'nfs-fd00--2_stop_0'));
  t.true(stopped.waitsFor('nfs-ganesha_stop_0', 'nfs-fd00--2_start_0'), 'the takeover waits for its answer');
});

clusterTest(
  title('a node is added, and taken away: other homes stay, and who has an address is refused'),
  async (t) => {
    const paper = cluster(t, ['A', 'B', 'C'], 3);
    const write = (nodes: readonly string[]) => writeFileSync(paper.toml, toml(nodes, 3));
    write(['A', 'B']);
    succeeded(t, await ha(paper, 'setup', ...applied));
    say(paper, ['A', 'B', 'C']);
    t.deepEqual(await home(t, paper), ['A', 'B', 'A'], 'not on a node that the configuration does not have');
    const refused = await ha(paper, 'add', 'C', ...applied);
    t.is(refused.code, 3);
    t.regex(refused.stderr, /C is not among nodes = \["A", "B"\].*\n.*Write it there first/);

    write(['A', 'B', 'C']);
    const printed = await ha(paper, 'add', 'C', '--format', 'xml');
    t.regex(printed.stderr, /NOTE: .*in the configuration of every node: this one has C/);
    const copy = paper.read();
    succeeded(t, await paper.run(['sh'], printed.stdout));
    const byHand = normalised(paper.read());
    paper.write(copy);
    const added = succeeded(t, await ha(paper, 'add', 'C', ...applied));
    t.regex(added, /updated +nfs-ganesha-clone: .*clone-max=3, was 2/);
    t.deepEqual(normalised(paper.read()), byHand, 'what is printed does the same');
    // A new node is well only when its agent says so.
    say(paper, ['A', 'B', 'C']);
    await simulated(t, paper, []);
    t.deepEqual(await home(t, paper), ['A', 'B', 'C']);

    const busy = await ha(paper, 'delete', 'B', ...applied);
    t.is(busy.code, 3);
    t.regex(busy.stderr, /B has fd00::2: their clients' locks are there\n.*standby/);
    succeeded(t, await paper.run(['crm_attribute', '--node', 'B', '--name', 'standby', '--update', 'on']));
    await simulated(t, paper, []);
    const deleted = await ha(paper, 'delete', 'B', ...applied);
    succeeded(t, deleted);
    t.regex(deleted.stderr, /WARNING: .*this one has B still.*take B out of the configuration of every node/);
    t.regex(deleted.stdout, /removed +nfs-10\.10\.1\.1-prefer-B/);
    t.notRegex(paper.read(), /node="B"|value="B"/);
    succeeded(t, await paper.run(['crm_attribute', '--node', 'B', '--name', 'standby', '--delete']));
    t.deepEqual(await home(t, paper), ['A', 'A', 'C'], 'nobody else has moved');
    write(['A', 'C']);
    t.regex(succeeded(t, await ha(paper, 'refresh', ...applied)), /nothing was to be done/);
    t.is((await ha(paper, 'delete', 'X', ...applied)).code, 3);
  },
);

clusterTest(title('an address that the configuration has no more goes with a refresh'), async (t) => {
  const paper = cluster(t, ['A', 'B'], 3);
  succeeded(t, await ha(paper, 'setup', ...applied));
  writeFileSync(paper.toml, toml(['A', 'B'], 2));
  t.regex(succeeded(t, await ha(paper, 'refresh')), /^pcs resource disable nfs-10\.10\.1\.3 --wait=/);
  t.regex(succeeded(t, await ha(paper, 'refresh', ...applied)), /removed +nfs-10\.10\.1\.3: /);
  t.false(paper.read().includes('10.10.1.3'));
  t.regex(succeeded(t, await ha(paper, 'setup', ...applied)), /nothing was to be done/);
});

clusterTest(title('what somebody else has tied to it keeps all of it'), async (t) => {
  const paper = cluster(t, ['A', 'B'], 1);
  succeeded(t, await ha(paper, 'setup', ...applied));
  for (const argv of [
    ['pcs', '-f', paper.cib, 'resource', 'create', 'mine', 'ocf:heartbeat:Dummy'],
    ['pcs', '-f', paper.cib, 'constraint', 'colocation', 'add', 'mine', 'with', 'nfs-ganesha-clone'],
  ])
    succeeded(t, await paper.run(argv));
  const before = paper.read();
  const { code, stderr } = await ha(paper, 'teardown', '--apply');
  t.is(code, 3);
  t.regex(stderr, /names nfs-ganesha-clone, and nlm-failover did not make it/);
  t.is(paper.read(), before);
});

/** `join-grace --watch` of a node, which is this machine. */
function looks(t: ExecutionContext, paper: PaperCluster, name: string) {
  const run = path.join(paper.directory, `run-${name}`);
  const file = path.join(paper.directory, `${name}.toml`);
  writeFileSync(file, readFileSync(paper.toml, 'utf8').replace(/^node = .*$/m, `node = "${name}"`));
  const program = path.join(projectRoot(), 'bin/nlm-failover');
  const child = spawn(process.execPath, [program, 'join-grace', '--watch'], {
    env: { ...process.env, NLM_FAILOVER_CONFIG: file, NLM_FAILOVER_RUN: run },
    stdio: 'ignore',
  });
  t.teardown(() => child.kill('SIGKILL'));
  return { isLooking: () => existsSync(path.join(run, 'locks/join-grace.looked')) };
}

clusterTest(title('status: who is well, who answered, who has which address'), async (t) => {
  const paper = cluster(t, ['A', 'B'], 2, 'false');
  const state = path.join(paper.directory, 'state');
  writeFileSync(paper.toml, toml(['A', 'B'], 2, state));
  const record = path.join(state, 'sm_10.10.1.1');
  mkdirSync(record, { recursive: true, mode: 0o700 });
  const at = Date.UTC(2026, 0, 2);
  const answer = { id: '0'.repeat(36), round: 1, host: 'b.example', state: 'joined', said: '', at };
  writeFileSync(path.join(record, 'barrier.B'), `${JSON.stringify(answer)}\n`);
  const made = await ha(paper, 'setup', ...applied);
  succeeded(t, made);
  t.regex(made.stderr, /WARNING: Fencing is off \(stonith-enabled=false\)/);
  const none = await ha(paper, 'status');
  t.is(none.code, 1);
  t.regex(none.stdout, /WRONG {2}A can serve no address: nfs-ganesha does not run there\n/);
  await simulated(t, paper, []);
  say(paper, ['A', 'B']);
  await simulated(t, paper, []);
  // The clone runs, and what it is there for does not.
  const deaf = await ha(paper, 'status');
  t.is(deaf.code, 1);
  t.regex(deaf.stdout, /^A +online +well +NO ANSWER +never called/m);
  t.deepEqual(
    [...deaf.stdout.matchAll(/^WRONG {2}(.*?):/gm)].map(([, said]) => said),
    ['A', 'B'].map((name) => `${name} has not answered within 5 s that it looks for calls into grace`),
  );
  // One look is none that goes on.
  succeeded(t, await paper.command('join-grace'));
  t.false(existsSync(path.join(record, 'looks.A')));
  const looking = ['A', 'B'].map((name) => looks(t, paper, name));
  await waitFor('both to look', () => Promise.resolve(looking.every((one) => one.isLooking())));
  const well = await ha(paper, 'status');
  t.is(
    succeeded(t, well),
    `node  cluster  NFS-Ganesha  join-grace  last called into grace                               addresses
A     online   well         answers     never called                                         10.10.1.1
B     online   well         answers     entered it, for 10.10.1.1, 2026-01-02T00:00:00.000Z  fd00::2
`,
  );
  say(paper, ['A']);
  const ill = await ha(paper, 'status', '--json');
  t.is(ill.code, 1);
  const lines = ill.stdout
    .trimEnd()
    .split('\n')
    .map((line): Record<string, unknown> => JSON.parse(line));
  t.like(lines[1], {
    node: 'B',
    isWell: false,
    watches: true,
    lastGrace: { at: '2026-01-02T00:00:00.000Z' },
  });
  t.deepEqual(lines[2], { wrong: ['B can serve no address: nlm-failover-ganesha is not 1'] });
});

clusterTest(title('what cannot be meant is refused'), async (t) => {
  const paper = cluster(t, ['A', 'B'], 1);
  for (const [words, said] of [
    [['add'], /add needs the name of a node/],
    [['setup', 'A'], /setup takes no node/],
    [['delete', 'x;'], /'x;' is invalid .* It takes the name of a node/],
    [['setup', '--unit', 'a b'], /It takes the name of a systemd unit/],
  ] as const) {
    const { code, stderr } = await ha(paper, ...words);
    t.is(code, 2, words.join(' '));
    t.regex(stderr, said);
  }
  writeFileSync(
    paper.toml,
    toml(['A', 'B'], 1).replace('driver = "ganesha"', 'driver = "lockd"').replace('export_id', 'fsid'),
  );
  const other = await ha(paper, 'setup');
  t.is(other.code, 3);
  t.regex(other.stderr, /^nlm-failover: No agent watches the daemon of the driver "lockd"$/m);
});
