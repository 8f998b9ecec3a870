// try-storage, and what check makes of it, on two rehearsed nodes that have a directory in common.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { mountedAs } from '../../src/record/trial/mounted-as.js';
import { rehearsalHost } from '../../src/host/rehearsal/rehearsal.js';
import { lastVerdict } from '../../src/record/trial/trial.js';
import { makeRehearsal, type RehearsalNode, type RehearsalSite } from '../helpers/rehearsal-site.js';

const address = '127.77.61.1';

interface Shared extends RehearsalSite {
  /** The directory that both have mounted on /shared. */
  readonly storage: string;
  /** Mounts it as GlusterFS: with options that mountinfo shows, and words of its client. */
  mount(node: RehearsalNode, options?: string, words?: string): void;
}

function sharedSite(t: ExecutionContext, { shared: isShared = false } = {}): Shared {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: '/shared/nlm', shared: isShared });
  t.teardown(() => site.remove());
  const storage = join(site.directory, 'disks', 'shared');
  mkdirSync(join(storage, 'nlm'), { recursive: true });
  mkdirSync(join(storage, '.meta/graphs/active/gv-quick-read'), { recursive: true });
  const shared: Shared = {
    ...site,
    storage,
    mount: (node, options = 'rw', words = '') => {
      node.write('/proc/self/mountinfo', `36 21 0:33 / /shared rw - fuse.glusterfs /dev/shared ${options}\n`);
      writeFileSync(
        join(storage, '.meta/cmdline'),
        `{ \n    "Cmdlinestr": "/usr/sbin/glusterfs ${words} --volfile-id=/gv /shared"\n}`,
      );
    },
  };
  for (const node of [site.a, site.b]) {
    node.link('/dev/shared', storage);
    shared.mount(node);
  }
  return shared;
}

/** What the check of the record says. */
async function recordLine(node: RehearsalNode) {
  const { stdout } = await node.here(['check', '--json']);
  const line = stdout.split('\n').find((one) => one.includes('"check":"record"'));
  if (line === undefined) throw new Error(stdout);
  const { verdict, message, hint } = JSON.parse(line) as Readonly<Record<string, string | null>>;
  return { verdict, message: message ?? '', hint };
}

test('two nodes try shared storage; check asks for it before, and again where it is mounted otherwise', async (t) => {
  const site = sharedSite(t);
  const { a, b } = site;
  const before = await recordLine(a);
  t.is(before.verdict, 'warning');
  t.is(
    before.message,
    'Whether /shared/nlm (fuse.glusterfs) keeps what two nodes write at once was never tried on this node',
  );
  t.is(before.hint, `Run "nlm-failover try-storage ${address}" on two nodes at about the same time.`);

  const both = await Promise.all([a, b].map((node) => node.tool(['try-storage', '--wait', '30'])));
  for (const [index, { exitCode, stdout, stderr }] of both.entries()) {
    const [node, other] = index === 0 ? 'AB' : 'BA';
    t.is(exitCode, 0, stdout + stderr);
    t.regex(
      stdout,
      new RegExp(
        `^try-storage /shared/nlm on ${node}: waits for another node, 30 s\n` +
          `try-storage /shared/nlm: ${other} is there; both write\n` +
          `try-storage /shared/nlm: nothing was lost; ${node} wrote \\d+ times, ${other} \\d+ times\n$`,
        'u',
      ),
    );
  }
  t.deepEqual(await recordLine(a), {
    verdict: 'ok',
    message: '/shared/nlm; there is no record yet',
    hint: null,
  });

  for (const [options, words] of [
    ['rw,max_read=1', ''],
    ['rw', '--attribute-timeout=0'],
  ] as const) {
    site.mount(a, options, words);
    t.regex((await recordLine(a)).message, /was tried at \d{4}-.*Z, and it is mounted otherwise now$/u);
  }
  site.mount(a);
  t.is((await recordLine(a)).verdict, 'ok');
  mkdirSync(join(site.storage, '.meta/graphs/active/gv-io-cache'));
  t.regex((await recordLine(a)).message, /mounted otherwise now$/u);
});

/** What A keeps of a trial, of the storage as it is mounted now. */
function keep(site: Shared, kept: boolean) {
  const place = join(site.storage, 'nlm/storage-trial');
  mkdirSync(place, { mode: 0o700, recursive: true });
  const verdict = {
    format: 1,
    node: 'A',
    other: 'B',
    at: '2026-11-28T00:00:00.000Z',
    version: '0.2.0',
    mount: mountedAs(rehearsalHost(site.a.root), '/shared/nlm'),
    kept,
    why: kept ? [] : ['A wrote 25 times, and B found 9 of them'],
    written: { A: 25, B: 25 },
  };
  writeFileSync(join(place, 'A.verdict'), JSON.stringify(verdict));
  return verdict;
}

test('a record is begun on storage that was tried, where every node exports a file system; and on none that has lost', async (t) => {
  const take = async ({ a }: Shared) => {
    const { exitCode, stdout } = await a.here(['takeover', address, '--no-wait', '--json']);
    return [exitCode, /"code":"(\w+)"/.exec(stdout)?.[1]];
  };
  const shared = sharedSite(t, { shared: true });
  shared.a.write(
    '/etc/nlm-failover.toml',
    `${shared.a.read('/etc/nlm-failover.toml')}\n[timeouts]\nbarrier = 1\n`,
  );
  t.deepEqual(await take(shared), [3, 'STORAGE_UNTRIED']);
  t.false(existsSync(join(shared.storage, 'nlm', `sm_${address}`)), 'nothing was begun');
  keep(shared, false);
  t.deepEqual(await take(shared), [3, 'STORAGE_UNFIT']);
  keep(shared, true);
  t.deepEqual(await take(shared), [5, undefined], 'nobody else is in grace');
  // From then on the address counts.
  keep(shared, false);
  t.is((await shared.a.here(['release', address])).exitCode, 0);
  t.deepEqual(await take(shared), [5, undefined]);

  const own = sharedSite(t);
  keep(own, false);
  t.deepEqual(await take(own), [3, 'STORAGE_UNFIT']);
  own.mount(own.a, 'rw', '--direct-io-mode=enable');
  t.deepEqual(await take(own), [0, undefined], 'untried');
});

test('storage that was seen to lose is a failure, with the options that work, as long as it is mounted so', async (t) => {
  const site = sharedSite(t);
  const { a } = site;
  const verdict = keep(site, false);
  t.deepEqual(lastVerdict(join(site.storage, 'nlm'), 'A'), verdict);
  const failed = await recordLine(a);
  t.is(failed.verdict, 'failure');
  t.is(
    failed.message,
    '/shared/nlm lost what A and B wrote at once (tried at 2026-11-28T00:00:00.000Z): A wrote 25 times, and B found 9 of them',
  );
  t.regex(failed.hint ?? '', /"-o direct-io-mode=enable,attribute-timeout=0,entry-timeout=0"/u);
  site.mount(a, 'rw', '--direct-io-mode=enable');
  t.is((await recordLine(a)).verdict, 'warning');
});

test('what one node has mounted at a time need not be tried; storage that is not mounted cannot be', async (t) => {
  const site = sharedSite(t);
  site.a.write('/etc/fstab', 'gluster:/gv /shared glusterfs defaults 0 0\n');
  site.a.write('/proc/self/mountinfo', '');
  const unmounted = await site.a.here(['try-storage']);
  t.is(unmounted.exitCode, 1);
  t.regex(unmounted.stderr, /\/shared is not mounted, and \/etc\/fstab says that it should be/u);

  const own = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => own.remove());
  const nothing = await own.a.here(['try-storage', address]);
  t.deepEqual(
    [nothing.exitCode, nothing.stdout],
    [0, 'try-storage: every record lies on a volume that one node has at a time: there is nothing to try\n'],
  );
  t.is((await own.a.here(['try-storage', '--json'])).stdout, '{"result":"done","tried":0}\n');
});

test('a node that is alone says so, and that nothing is known', async (t) => {
  const site = sharedSite(t);
  const alone = await site.a.here(['try-storage', '--wait', '0', '--json']);
  t.is(alone.exitCode, 1);
  t.regex(alone.stdout, /"code":"STORAGE_UNTRIED".*no other node came to \/shared\/nlm in 0 s/u);
});
