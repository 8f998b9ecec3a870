// The driver ganesha with the real ganesha.nfsd, dbus-daemon and rpc.statd, and a client that speaks NFSv3 and NLM itself.
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { type Netns, withNetnsPair } from '../helpers/netns.js';
import { ganeshaMissing, GaneshaServer } from './ganesha-server.js';
import { netnsTest } from './netns-test.js';
import { startRpcbind, startStatd, witnessed } from './statd.js';
import { waitFor } from './wait-for.js';

const address = '10.99.0.100';
const missing = ganeshaMissing();
const ganeshaTest: typeof netnsTest = (title, ...rest) =>
  missing === undefined
    ? netnsTest(title, ...rest)
    : test.serial.skip(`${title} (${missing})`, () => undefined);

const config = `
node = "A"
[state]
directory = "/run/state/records"
[lock_manager]
driver = "ganesha"
ganesha_conf = "/run/ganesha.conf"
[timeouts]
settle = 5
B-2 = 12
A-2 = 8
[[floating_ip]]
address = "${address}/24"
interface = "veth0"
  [[floating_ip.filesystem]]
  fsid = 1234
  export_id = 7
  device = "/run/vol1"
  mountpoint = "/run/at/vol1"
  type = "ext4"
    [[floating_ip.filesystem.export]]
    clients = "10.99.0.0/24"
    options = "rw,no_root_squash,no_subtree_check"
    [[floating_ip.filesystem.export]]
    clients = "fd00::/64"
`;

class Client {
  readonly #netns: Netns;

  constructor(netns: Netns) {
    this.#netns = netns;
  }

  async ask(...words: string[]): Promise<string> {
    const script = path.join(import.meta.dirname, 'nfs-lock-inside.js');
    return (await this.#netns.run(process.execPath, script, address, ...words)).trim();
  }
}

/** A server and its client; on the server Ganesha runs, unless the test starts it. */
async function site(t: ExecutionContext, { started = true } = {}) {
  t.timeout(120_000);
  const [one, other] = await withNetnsPair(t, ['10.99.0.1/24'], ['10.99.0.21/24']);
  const server = new GaneshaServer(one);
  for (const directory of ['state', 'at', 'at/vol1']) await mkdir(one.path(`/run/${directory}`));
  await one.run('mount', '-t', 'tmpfs', 'tmpfs', '/run/state');
  await mkdir(one.path('/run/state/records'));
  await one.run('truncate', '-s', '16M', '/run/vol1');
  await one.run('mke2fs', '-q', '-F', '-t', 'ext4', '/run/vol1');
  await writeFile(one.path('/run/nlm-failover.toml'), config);
  await Promise.all([
    started ? server.start() : server.startBeside(),
    startRpcbind(other).then(() => startStatd(other)),
  ]);
  return { server, netns: one, client: new Client(other), clientNetns: other };
}

ganeshaTest('an address is taken over, released and taken over again, and the lock is kept', async (t) => {
  const { server, netns, client, clientNetns } = await site(t);
  const verdicts = async () => {
    const { lines } = await server.tool('check', address, '--json');
    const rows = lines as readonly { readonly check?: string; readonly verdict?: string }[];
    return Object.fromEntries(rows.map(({ check = '', verdict }) => [check, verdict]));
  };
  const ready = { driver: 'ok', callout: 'ok', exports: 'ok', ports: 'ok', programs: 'ok', 'nfs.conf': 'ok' };
  t.like(await verdicts(), ready);
  const conf = await readFile(netns.path('/run/ganesha.conf'), 'utf8');
  await writeFile(netns.path('/run/ganesha.conf'), `${conf}NFS_Core_Param { Enable_NLM = false; }`);
  t.is((await verdicts())['driver'], 'failure');
  await writeFile(netns.path('/run/ganesha.conf'), conf);
  const first = await server.tool('takeover', address, '--no-wait', '--json');
  t.is(first.code, 0, first.output);
  t.deepEqual(await server.exported(), [7]);
  t.true(await server.grace());
  // Done once.
  const again = await server.tool('takeover', address, '--no-wait', '--json');
  t.is(again.code, 0, again.output);
  t.true(
    again.lines.slice(0, -1).every(({ state }) => state === 'skipped'),
    again.output,
  );

  const handle = await client.ask('handle', '/run/at/vol1', 'file');
  t.is(await client.ask('lock', handle, 'holder'), 'grace');
  await server.untilGraceIsOver();
  t.is(await client.ask('lock', handle, 'holder'), 'granted');
  t.is(await client.ask('lock', handle, 'rival'), 'denied');
  t.is(await server.locks('/run/at/vol1'), 1);

  // A connection as a kernel's client keeps it.
  const connect = `require('node:net').connect(2049, '${address}', () => console.log('connected'))`;
  await clientNetns.start(process.execPath, ['-e', connect]).saw(/connected/);
  const well = await server.tool('status', address);
  t.is(well.code, 0, well.output);
  t.regex(well.output, /ganesha +all daemons run; 1 exports; 1 clients monitored$/m);

  const released = await server.tool('release', address, '--json');
  t.is(released.code, 0, released.output);
  t.regex(released.output, /1 lock held/);
  t.regex(released.output, /cut \d+ TCP connections?/);
  t.is(await netns.run('ss', '-Htn', 'state', 'established', 'src', address), '');
  t.deepEqual(await server.exported(), []);
  t.false(await server.grace(), 'a release puts nobody into grace');
  t.notRegex(await netns.run('cat', '/proc/self/mountinfo'), /vol1/);

  // Somebody else's export: who waits in the same grace.
  await mkdir(netns.path('/run/other'));
  await netns.run('mount', '-t', 'tmpfs', 'tmpfs', '/run/other');
  const other =
    'EXPORT { Export_Id = 9; Path = /run/at; Pseudo = /run/at; Access_Type = RW; FSAL { Name = VFS; } }';
  await writeFile(netns.path('/run/other.conf'), other);
  await server.call('ExportMgr', 'AddExport', 'string:/run/other.conf', 'string:EXPORT(Export_Id=9)');
  const taken = await server.tool('takeover', address, '--no-wait', '--json');
  t.is(taken.code, 0, taken.output);
  t.regex(taken.output, /the whole server is in grace: new locks of \/run\/at wait too/);
  t.true(
    (await witnessed(clientNetns)).some((line) => line.startsWith('sm-notify')),
    'the client was notified',
  );
  // The handle of before: no lock for who wants a new one, and the old one for who had it.
  t.is(await client.ask('lock', handle, 'rival'), 'grace');
  t.is(await client.ask('reclaim', handle, 'holder'), 'granted');
  const inGrace = await server.tool('status', address);
  t.regex(inGrace.output, /2 exports; \d clients monitored; in grace; new locks of \/run\/at wait too$/m);
  await server.untilGraceIsOver();
  t.is(await client.ask('lock', handle, 'rival'), 'denied');
  const audited = await server.tool('audit', address, '--json');
  t.is(audited.code, 0, audited.output);
  t.regex(audited.output, /"locks":\{"held":1,"reclaimed":1\}/);

  // Started anew it has neither the export nor the locks: that is seen, and mended by another takeover.
  const notified = async () =>
    (await witnessed(clientNetns)).filter((line) => line.startsWith('sm-notify')).length;
  const before = await notified();
  server.signal('ganesha.nfsd', 'SIGKILL');
  await server.startGanesha();
  const anew = await server.tool('status', address);
  t.is(anew.code, 1);
  t.regex(anew.output, /NOT SERVING: ganesha\.nfsd was started anew, and the locks of the address are gone/);
  t.regex(anew.output, /\/run\/at\/vol1 is not exported/);
  t.is(await client.ask('reclaim', handle, 'holder'), 'stale handle');
  const mended = await server.tool('takeover', address, '--no-wait', '--json');
  t.is(mended.code, 0, mended.output);
  t.deepEqual(
    mended.lines.filter(({ state }) => state === 'done').map(({ step }) => step),
    ['B-2', 'B-5', 'B-3'],
  );
  t.true((await notified()) > before, 'the client was notified again');
  t.is(await client.ask('lock', handle, 'rival'), 'grace');
  t.is(await client.ask('reclaim', handle, 'holder'), 'granted');
  t.is((await server.tool('status', address)).code, 0);
});

ganeshaTest('no bus, nobody on it, a policy, Ganesha or the bus stopped: one sentence each', async (t) => {
  const { server, netns } = await site(t, { started: false });
  const refused = async (says: RegExp) => {
    const { code, output } = await server.tool('takeover', address);
    t.is(code, 3, output);
    t.regex(output, says);
    const [sentence = '', hint, ...more] = output.trimEnd().split('\n');
    t.regex(sentence, /^nlm-failover: This host cannot do the lock manager driver ganesha: .*[^.]$/);
    t.regex(hint ?? '', /NFS-GANESHA in nlm-failover\(8\)/);
    t.deepEqual(more, []);
    t.notRegex(await netns.run('cat', '/proc/self/mountinfo'), /vol1/, 'nothing was touched');
  };
  await refused(/: the D-Bus on which NFS-Ganesha would be cannot be reached \(the system bus\): /);
  await server.startBus('allow');
  await refused(/: NFS-Ganesha is not on the D-Bus: nobody has the name org\.ganesha\.nfsd/);
  await server.startGanesha();
  await server.writePolicy('deny');
  server.signal('dbus-daemon', 'SIGHUP');
  await refused(/: D-Bus does not let this user ask NFS-Ganesha for ShowExports: /);
  await server.writePolicy('allow');
  server.signal('dbus-daemon', 'SIGHUP');
  for (const name of ['ganesha.nfsd', 'dbus-daemon']) {
    await server.stopped(name, () =>
      refused(/: NFS-Ganesha has not answered get_grace over D-Bus in time: it, or the bus, is stopped/),
    );
    const taken = await server.tool('takeover', address, '--no-wait');
    t.is(taken.code, 0, taken.output);
    await server.stopped(name, async () => {
      const ill = await server.tool('status', address);
      t.is(ill.code, 1);
      t.regex(ill.output, /NOT SERVING: ganesha\.nfsd does not answer/);
      const kept = await server.tool('release', address);
      t.is(kept.code, 1, kept.output);
      t.regex(kept.output, /^nlm-failover: NFS-Ganesha has not answered ShowExports over D-Bus in time/m);
      t.regex(await netns.run('cat', '/proc/self/mountinfo'), /vol1/, 'it is exported, and stays mounted');
    });
    const released = await server.tool('release', address);
    t.is(released.code, 0, released.output);
  }
  // rpc.statd takes its registration away, and another statd has it.
  server.signal('rpc.statd', 'SIGTERM');
  await symlink(process.execPath, netns.path('/run/ganesha.nfsd'));
  const script = path.join(import.meta.dirname, 'own-statd-inside.js');
  await waitFor('the end of rpc.statd', async () => {
    const { exited } = netns.start('rpcinfo', ['-T', 'udp', '127.0.0.1', 'status']);
    return (await exited) !== 0;
  });
  await netns.start('/run/ganesha.nfsd', [script]).saw(/registered/);
  await refused(/: NFS-Ganesha is its own statd \(it has registered program 100024\)/);
});
