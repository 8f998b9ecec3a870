// What `check` looks at: each check of the list has a site that makes it fail, and none fails on a sound one.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '../../../src/config/load-config.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { drivers } from '../../../src/lockmanager/drivers.js';
import { calloutCheck } from '../../../src/site/check/address/callout.js';
import type { CheckReader } from '../../../src/site/check/check.js';
import { addressChecks, nodeChecks } from '../../../src/site/check/checks.js';
import { lookAround } from '../../../src/site/check/looking.js';
import { type CheckLine, runChecks } from '../../../src/site/check/run-checks.js';
import { configure, rehearsedSites, writeBelow } from '../../helpers/check-sites.js';
import { makeRehearsal, type RehearsalNode, type RehearsalOptions } from '../../helpers/rehearsal-site.js';
import { treeOf } from '../../helpers/tree.js';
import { wireSites } from '../../helpers/wire-check-sites.js';

const address = '127.77.41.1';

function fixture(t: ExecutionContext, options: Partial<RehearsalOptions> = {}) {
  const site = makeRehearsal({ address, rpcbindPort: 1, ...options });
  t.teardown(() => site.remove());
  for (const node of [site.a, site.b]) node.write('/etc/nfs.conf', '[sm-notify]\nlift-grace=n\n');
  return site;
}

async function readerOf(node: RehearsalNode, over: Partial<CheckReader>) {
  const config = await loadConfig({ drivers, file: node.config });
  const host = rehearsalHost(node.root);
  const reader = {
    host,
    config,
    written: config,
    drivers,
    run: path.join(node.root, 'run/nlm-failover'),
    callout: '/ha-callout',
    nlmRegistered: async () => Number(node.read('/proc/fs/nfsd/threads')) > 0,
    registeredAt: async () => true,
    ...over,
  };
  return { reader, config };
}

async function check(node: RehearsalNode, over: Partial<CheckReader> = {}): Promise<CheckLine[]> {
  const { reader, config } = await readerOf(node, over);
  const lines: CheckLine[] = [];
  await runChecks(reader, config.floatingIps, (line) => lines.push(line));
  return lines;
}

test('each check has a site that makes it fail, and a text for the manual', (t) => {
  const all = [...nodeChecks, ...addressChecks];
  const names = all.map(({ name }) => name);
  t.deepEqual(names, [...new Set(names)]);
  const sites = [...rehearsedSites, ...wireSites];
  t.deepEqual(
    names.filter((name) => !sites.some((site) => site.check === name && site.verdict !== 'ok')),
    [],
  );
  t.deepEqual(
    sites.filter((site) => !names.includes(site.check)),
    [],
  );
  for (const { name, text } of all) t.regex(text, /^\S.*[^.]$/u, name);
});

test('a sound site: every check has one line, each is ok, and nothing is touched', async (t) => {
  const { a, directory } = fixture(t);
  const before = treeOf(directory);
  const lines = await check(a);
  t.deepEqual(
    lines.filter(({ verdict }) => verdict !== 'ok'),
    [],
  );
  t.deepEqual(
    lines.map((line) => [line.address, line.check]),
    [...nodeChecks.map(({ name }) => [undefined, name]), ...addressChecks.map(({ name }) => [address, name])],
  );
  t.deepEqual(treeOf(directory), before);
});

for (const { check: name, what, make, verdict, says, isShared = false } of rehearsedSites) {
  test(`${name}: ${what}`, async (t) => {
    const { a, b, directory } = fixture(
      t,
      isShared ? { shared: true, stateDirectory: '/shared_storage' } : {},
    );
    if (isShared) {
      const storage = path.join(directory, 'shared');
      mkdirSync(storage, { mode: 0o755 });
      for (const node of [a, b]) node.link('/shared_storage', storage);
    }
    await make(a, b);
    const lines = await check(a);
    const found = lines.filter((line) => line.check === name && line.verdict === verdict);
    t.true(
      found.some(({ message }) => says.test(message)),
      JSON.stringify(lines.filter((line) => line.verdict !== 'ok' || line.check === name)),
    );
    // What to do is said of each.
    if (verdict !== 'ok') t.true(found.every(({ hint }) => hint !== undefined && hint !== ''));
  });
}

test('what is known of a kernel is said, and of no other one', async (t) => {
  const { a } = fixture(t);
  const kernel = async (release: string) => {
    writeBelow(a, '/proc/sys/kernel/osrelease', `${release}\n`);
    return (await check(a)).find((line) => line.check === 'kernel');
  };
  for (const release of ['6.9.0', '6.12.107+deb13-amd64', '6.18.3'])
    t.like(await kernel(release), {
      verdict: 'ok',
      message: `Linux ${release}, 50 s of grace; known of it: it crashes where /proc/fs/nfsd/unlock_filesystem is written by hand while nfsd is down`,
    });
  for (const release of ['6.8.12', '6.19.0', '5.14.0-427.el9', '7.2'])
    t.is((await kernel(release))?.message, `Linux ${release}, 50 s of grace`);
});

test('a unit that is starting, active or not enabled is well, and so is one of an address that is not served here', async (t) => {
  const { a } = fixture(t);
  mkdirSync(a.path('/run/systemd/system'), { recursive: true });
  const unit = async (active: string, file: string) => {
    a.write('/units', `ActiveState=${active}\nUnitFileState=${file}\n`);
    return (await check(a)).find((line) => line.check === 'unit')?.verdict;
  };
  t.is(await unit('inactive', 'enabled'), 'ok');
  const said = await a.here(['takeover', address, '--no-wait']);
  t.regex(
    said.stdout,
    /\n {2}NOTE: nlm-failover@127\.77\.41\.1\.service is enabled, but inactive: .*systemctl start nlm-failover@127\.77\.41\.1\.service\n$/,
  );
  t.is(await unit('inactive', 'enabled'), 'warning');
  for (const [active, file] of [
    ['active', 'enabled'],
    ['activating', 'enabled'],
    ['inactive', 'disabled'],
  ] as const) {
    t.is(await unit(active, file), 'ok', `${active} ${file}`);
    t.notRegex((await a.here(['takeover', address, '--no-wait'])).stdout, /NOTE/);
  }
});

test('what is taken out of /etc/exports stays exported: it is said not to empty etab', async (t) => {
  for (const file of ['/etc/exports', '/etc/exports.d/x.exports']) {
    const { a } = fixture(t);
    writeBelow(a, file, '/mnt/vol1 *(rw)\n');
    const found = (await check(a)).filter((line) => line.check === 'others');
    t.regex(found[0]?.hint ?? '', /Run no exportfs -r then, and do not reload nfs-server/, file);
  }
});

test('what others are meant to do (managed_by_others) is no failure, and a comment says nothing', async (t) => {
  const { a } = fixture(t);
  for (const site of rehearsedSites.filter((one) => one.check === 'others')) await site.make(a, a);
  configure(
    a,
    'interface = "eth0"',
    'interface = "eth0"\nmanaged_by_others = ["mount", "export", "address"]',
  );
  const others = (await check(a)).filter((line) => line.check === 'others');
  t.deepEqual(
    others.map(({ verdict }) => verdict),
    ['ok'],
  );
  const { b } = fixture(t);
  mkdirSync(b.path('/etc/keepalived'));
  b.write(
    '/etc/keepalived/keepalived.conf',
    `! ${address}\n# ${address}\n virtual_ipaddress {\n 127.77.41.11 # ${address}\n}\n`,
  );
  b.write('/etc/exports', '# /mnt/vol1 *\n/mnt/vol10 *\n');
  t.deepEqual(
    (await check(b)).filter((line) => line.check === 'others').map(({ verdict }) => verdict),
    ['ok'],
  );
});

test('rpcbind does not answer; and before recording begins the callout is not asked for a journal', async (t) => {
  const { a } = fixture(t);
  configure(a, '[lock_manager]', '[timeouts]\nsettle = 1\n\n[lock_manager]');
  const silent = await check(a, { nlmRegistered: async () => undefined });
  for (const name of ['driver', 'callout'])
    t.regex(
      silent.find((line) => line.check === name)?.message ?? '',
      /^rpcbind of this (?:host|node) \(/,
      name,
    );
  const asked: (string | undefined)[] = [];
  const ask = async () => {
    const { reader, config } = await readerOf(a, {});
    const [ip] = config.floatingIps;
    if (ip === undefined) throw new Error('no floating IP');
    const site = await lookAround(reader, ip);
    t.is(site.standing.where, 'here');
    const driver = {
      ...site.context.driver,
      calloutFault: async (one: string | undefined) => void asked.push(one),
    };
    const found = await calloutCheck.look({ ...site, context: { ...site.context, driver } });
    t.deepEqual(
      found.map(({ verdict }) => verdict),
      ['ok'],
    );
  };
  t.is((await a.here(['takeover', address, '--no-wait', '--steps', 'B-1'])).exitCode, 0);
  await ask();
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  await ask();
  t.deepEqual(asked, [undefined, address]);
});

test('the command: on the node that serves, on the other one, of one address, as JSON; exit codes', async (t) => {
  const { a, b } = fixture(t, { others: [{ address: '127.77.41.2', fsid: 77 }] });
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  const here = await a.here(['check']);
  t.is(here.exitCode, 0, here.stdout + here.stderr);
  t.regex(here.stdout, /^this node, A\n {2}ok {7}programs/);
  t.regex(
    here.stdout,
    /^127\.77\.41\.1\n[^]*ok {7}record .*this node owns it \(epoch 1\)\n[^]*^127\.77\.41\.2\n/m,
  );
  t.regex(here.stdout, /\nnothing stands in the way of a failover\n$/);
  b.write('/links.json', '[]');
  const there = await b.here(['check', address, '--json']);
  t.is(there.exitCode, 1);
  const lines = there.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.deepEqual(
    lines.map((line) => line['check']),
    [...nodeChecks, ...addressChecks].map(({ name }) => name),
  );
  t.deepEqual(
    lines
      .filter((line) => line['verdict'] !== 'ok')
      .map((line) => [line['address'], line['check'], typeof line['hint']]),
    [[address, 'address', 'string']],
  );
  t.is((await b.here(['check', '10.0.0.1'])).exitCode, 2);
});
