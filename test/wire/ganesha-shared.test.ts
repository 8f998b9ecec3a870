// Two nodes with the real ganesha.nfsd, which both export one file system: as the kernel is one, a lock that is taken through the one stands
// against the other, as on a cluster file system. A client holds locks through an address of each, and a rival tries through the second one
// without a pause. Ten times there and back: NLM_FULL=1 npx ava --timeout=10m build/test/wire/ganesha-shared.test.js
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { projectRoot } from '../lab/project-root.js';
import { type Netns, type Program, withNetns } from '../helpers/netns.js';
import { ganeshaTest } from './ganesha-site.js';
import { GaneshaServer } from './ganesha-server.js';
import { startRpcbind, startStatd, witnessed } from './statd.js';
import { waitFor } from './wait-for.js';

/** The first time everything is new; from the second one on each node has had the address before, and released it. */
const rounds = process.env['NLM_FULL'] === '1' ? 10 : 3;
const moving = '10.99.0.100';
const staying = '10.99.0.101';
const client = '10.99.0.21';
const rival = '10.99.0.22';

const block =
  'EXPORT { Export_Id = 7; Path = /run/shared; Pseudo = /run/shared; Access_Type = RW; Squash = No_Root_Squash; FSAL { Name = VFS; } }\n';

function config(node: string, state: string, barrier: number): string {
  return `
node = "${node}"
[state]
directory = "${state}"
[lock_manager]
driver = "ganesha"
ganesha_conf = "/run/ganesha.conf"
[timeouts]
settle = 5
barrier = ${barrier}
[[shared_filesystem]]
export_id = 7
mountpoint = "/run/shared"
nodes = ["A", "B"]
[[floating_ip]]
address = "${moving}/24"
interface = "veth0"
[[floating_ip]]
address = "${staying}/24"
interface = "veth0"
`;
}

class Node extends GaneshaServer {
  #watch: Program | undefined;

  /** Answers calls into grace from now on, as a node has to. */
  watch(): void {
    const program = path.join(projectRoot(), 'bin/nlm-failover');
    this.#watch = this.netns.start(process.execPath, [program, 'join-grace', '--watch'], {
      NLM_FAILOVER_CONFIG: '/run/nlm-failover.toml',
    });
  }

  get watched(): string {
    return this.#watch?.output() ?? '';
  }
}

async function site(t: ExecutionContext, { barrier = 20 } = {}) {
  t.timeout(rounds * 30_000 + 120_000);
  // statd's user has to come to its journal.
  const directory = await mkdtemp(path.join(tmpdir(), 'shared-'));
  await chmod(directory, 0o755);
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const state = path.join(directory, 'state');
  const image = path.join(directory, 'image');
  await mkdir(state, { mode: 0o755 });
  const clients = await withNetns(t);
  await clients.run('ip', 'link', 'add', 'eth0', 'type', 'bridge');
  const nodes = { a: new Node(await withNetns(t)), b: new Node(await withNetns(t)) };
  await nodes.a.netns.run('truncate', '-s', '16M', image);
  await nodes.a.netns.run('mke2fs', '-q', '-F', '-t', 'ext4', image);
  const device = (await nodes.a.netns.run('losetup', '--find', '--show', image)).trim();
  t.teardown(async () => void (await clients.run('losetup', '-d', device).catch(() => undefined)));
  for (const [name, { netns }, own] of [
    ['A', nodes.a, '10.99.0.1'],
    ['B', nodes.b, '10.99.0.2'],
  ] as const) {
    await join(clients, netns, name, own);
    await mkdir(netns.path('/run/shared'));
    await netns.run('mount', device, '/run/shared');
    await writeFile(netns.path('/run/nlm-failover.toml'), config(name, state, barrier));
  }
  for (const one of [client, rival]) await clients.run('ip', 'address', 'add', `${one}/24`, 'dev', 'eth0');
  await clients.run('ip', 'link', 'set', 'eth0', 'up');
  await Promise.all([
    nodes.a.start(block),
    nodes.b.start(block),
    startRpcbind(clients).then(() => startStatd(clients)),
  ]);
  const inside = (source: string, server: string, words: readonly string[]) =>
    clients.start(
      process.execPath,
      [path.join(import.meta.dirname, 'nfs-lock-inside.js'), server, ...words],
      {
        SOURCE: source,
      },
    );
  return {
    ...nodes,
    clients,
    /** What a server answers. */
    ask: async (source: string, server: string, ...words: string[]) => {
      const asking = inside(source, server, words);
      asking.end();
      await asking.exited;
      return asking.output().trim();
    },
    /** Who tries to get a lock through an address, without a pause; ended, what it was answered. */
    tries: (server: string, handle: string) => {
      const trying = inside(rival, server, ['rival', handle, 'rival']);
      return {
        said: () => trying.output().trim().split('\n'),
        end: async () => {
          trying.end();
          await trying.exited;
          return trying.output().trim().split('\n');
        },
      };
    },
    notified: async (from: string) =>
      (await witnessed(clients)).filter((line) => line.startsWith('sm-notify') && line.includes(` ${from} `))
        .length,
  };
}

async function join(clients: Netns, netns: Netns, name: string, address: string): Promise<void> {
  const { spawnSync } = await import('node:child_process');
  const cable = [
    'link',
    'add',
    `to${name}`,
    'type',
    'veth',
    'peer',
    'name',
    'veth0',
    'netns',
    String(netns.pid),
  ];
  const { status, stderr } = spawnSync(
    'nsenter',
    [`--target=${clients.pid}`, '--net', '--', 'ip', ...cable],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(stderr);
  await clients.run('ip', 'link', 'set', `to${name}`, 'master', 'eth0', 'up');
  await netns.run('ip', 'link', 'set', 'veth0', 'addrgenmode', 'none');
  await netns.run('ip', 'link', 'set', 'veth0', 'up');
  await netns.run('ip', 'address', 'add', `${address}/24`, 'dev', 'veth0');
}

ganeshaTest(
  'moved there and back again and again: its locks are kept, and those that go with them are notified',
  async (t) => {
    const { a, b, ask, tries, notified } = await site(t, { barrier: 60 });
    a.watch();
    b.watch();
    for (const [node, address] of [
      [a, moving],
      [b, staying],
    ] as const) {
      const { code, output } = await node.tool('takeover', address, '--no-wait');
      t.is(code, 0, output);
    }
    const handle = await ask(client, moving, 'handle', '/run/shared', 'file');
    const second = await ask(client, staying, 'handle', '/run/shared', 'second');
    await Promise.all([a.untilGraceIsOver(), b.untilGraceIsOver()]);
    t.is(await ask(client, moving, 'lock', handle, 'holder'), 'granted');
    t.is(await ask(client, staying, 'lock', second, 'holder'), 'granted');
    t.is(await ask(rival, staying, 'lock', handle, 'rival'), 'denied', 'the file system is one');
    const trying = tries(staying, handle);
    await waitFor('the rival', async () => trying.said().includes('denied'));
    const move = async (from: Node, to: Node, between = async () => {}) => {
      const released = await from.tool('release', moving);
      t.is(released.code, 0, released.output);
      await between();
      const taken = await to.tool('takeover', moving, '--no-wait');
      t.is(taken.code, 0, taken.output);
      t.is(await ask(client, moving, 'reclaim', handle, 'holder'), 'granted');
    };
    for (let times = 1; times <= rounds; times += 1) {
      // The takeover comes late: every node stays in grace, until it does.
      await move(a, b, async () => {
        if (times > 1) return;
        const entered = await Promise.all([a, b].map((node) => node.graces()));
        for (const [index, node] of [a, b].entries())
          await waitFor(
            'graces entered anew',
            async () => (await node.graces()) >= (entered[index] ?? 0) + 4,
            250,
          );
      });
      if (times === 1) {
        t.true((await notified(moving)) > 0);
        await b.untilGraceIsOver();
        t.is(await ask(client, moving, 'lock', handle, 'holder'), 'granted', 'it has it');
      }
      // Home again: what B drops of the moving address goes with what the same client has through the staying one.
      const before = await notified(staying);
      await move(b, a);
      t.true((await notified(staying)) > before, 'the client of both is notified from the one that stays');
      t.is(await ask(client, staying, 'reclaim', second, 'holder'), 'granted');
    }
    await Promise.all([a.untilGraceIsOver(), b.untilGraceIsOver()]);
    const said = await trying.end();
    t.false(said.includes('granted'), said.join(' '));
    t.is(await ask(rival, staying, 'lock', handle, 'rival'), 'denied');
    t.is(await ask(rival, staying, 'lock', second, 'rival'), 'denied');
  },
);

ganeshaTest(
  'a node that does not answer is named, and gives the lock away; one that died is not waited for',
  async (t) => {
    const { a, b, ask, tries } = await site(t, { barrier: 2 });
    const take = async (node: Node, address: string, ...more: string[]) =>
      node.tool('takeover', address, '--no-wait', ...more);
    const alone = await take(a, staying);
    t.is(alone.code, 5, alone.output);
    t.regex(alone.output, /NOTE: node B has not answered within 2 s \(\[timeouts\]\.barrier\)/);
    t.is((await take(b, moving)).code, 5);
    const handle = await ask(client, moving, 'handle', '/run/shared', 'file');
    await Promise.all([a.untilGraceIsOver(), b.untilGraceIsOver()]);
    t.is(await ask(client, moving, 'lock', handle, 'holder'), 'granted');
    // The proof against: nobody has A enter grace.
    const stealing = tries(staying, handle);
    await waitFor('the rival', async () => stealing.said().includes('denied'));
    const released = await b.tool('release', moving);
    t.is(released.code, 0, released.output);
    t.regex(released.output, /NOTE: node A has not answered/);
    await waitFor('the rival with the lock', async () => stealing.said().includes('granted'));
    await stealing.end();

    a.watch();
    t.is((await take(b, moving)).code, 0);
    await Promise.all([a.untilGraceIsOver(), b.untilGraceIsOver()]);
    t.is(await ask(client, moving, 'lock', handle, 'holder'), 'granted');
    const trying = tries(staying, handle);
    await waitFor('the rival', async () => trying.said().includes('denied'));
    // As on a cluster file system, the locks of a node outlive it until it is noticed.
    await b.stopped('ganesha.nfsd', async () => {
      const refused = await take(a, moving);
      t.is(refused.code, 4, refused.output);
      const claimed = await take(a, moving, '--fenced', '--steps', 'B-1,B-2');
      t.is(claimed.code, 0, claimed.output);
      t.regex(claimed.output, /B-2 .*not waited for B: it is down/);
      b.signal('ganesha.nfsd', 'SIGKILL');
    });
    const taken = await take(a, moving);
    t.is(taken.code, 0, taken.output);
    t.is(await ask(client, moving, 'reclaim', handle, 'holder'), 'granted');
    await a.untilGraceIsOver();
    t.is(await ask(rival, staying, 'lock', handle, 'rival'), 'denied');
    const said = await trying.end();
    t.false(said.includes('granted'), said.join(' '));
  },
);
