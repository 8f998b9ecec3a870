// The driver ganesha with the real ganesha.nfsd, dbus-daemon and rpc.statd, and a client that speaks NFSv3 and NLM itself.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { address, ganeshaTest, site, volume } from './ganesha-site.js';
import { witnessed } from './statd.js';

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
  const connect = async () => {
    const script = `require('node:net').connect(2049, '${address}', () => console.log('connected'))`;
    await clientNetns.start(process.execPath, ['-e', script]).saw(/connected/);
  };
  await connect();
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

  // The address goes without a release, and comes back by a takeover that does all of it.
  await connect();
  await netns.run('ip', 'address', 'delete', `${address}/24`, 'dev', 'veth0');
  await netns.run('rm', `/run/nlm-failover/serving/${address}`);
  const back = await server.tool('takeover', address, '--no-wait', '--json');
  t.is(back.code, 0, back.output);
  t.regex(back.output, /"step":"B-2".*cut \d+ TCP connections?/);
});

ganeshaTest(
  'an address that was adopted: a new start of NFS-Ganesha forgets nobody there either',
  async (t) => {
    const { server, netns, client, clientNetns } = await site(t);
    await netns.run('mount', '-o', 'loop', volume, '/run/at/vol1');
    await netns.run('ip', 'address', 'add', `${address}/24`, 'dev', 'veth0');
    const block =
      'EXPORT { Export_Id = 7; Path = /run/at/vol1; Pseudo = /v; Access_Type = RW; Squash = No_Root_Squash; FSAL { Name = VFS; } }';
    await writeFile(netns.path('/run/hand.conf'), block);
    await server.call('ExportMgr', 'AddExport', 'string:/run/hand.conf', 'string:EXPORT(Export_Id=7)');
    const handle = await client.ask('handle', '/run/at/vol1', 'file');
    await server.untilGraceIsOver();
    t.is(await client.ask('lock', handle, 'holder'), 'granted');
    const adopted = await server.tool('adopt', address, '--json');
    t.is(adopted.code, 0, adopted.output);
    t.is(await server.locks('/run/at/vol1'), 1);

    server.signal('ganesha.nfsd', 'SIGKILL');
    await server.startGanesha();
    const anew = await server.tool('status', address);
    t.regex(anew.output, /NOT SERVING: ganesha\.nfsd was started anew/);
    const mended = await server.tool('takeover', address, '--no-wait', '--json');
    t.is(mended.code, 0, mended.output);
    t.deepEqual(
      mended.lines.filter(({ state }) => state === 'done').map(({ step }) => step),
      ['B-2', 'B-5', 'B-3'],
    );
    t.true((await witnessed(clientNetns)).some((line) => line.startsWith('sm-notify')));
    t.is(await client.ask('reclaim', handle, 'holder'), 'granted');
  },
);
