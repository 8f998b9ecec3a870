// NFS-Ganesha and its bus where they are not, do not answer, or may not be asked.
import { symlink } from 'node:fs/promises';
import path from 'node:path';
import { address, ganeshaTest, site } from './ganesha-site.js';
import { startRpcbind } from './statd.js';
import { waitFor } from './wait-for.js';

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
  // It ends with its bus (libdbus, dbus_connection_set_exit_on_disconnect), and comes to no bus that was not there at its start.
  const again = await server.tool('takeover', address, '--no-wait');
  t.is(again.code, 0, again.output);
  server.signal('dbus-daemon', 'SIGKILL');
  await waitFor('its end', () => Promise.resolve(!server.runs('ganesha.nfsd')));
  server.beginGanesha();
  await waitFor('NFS-Ganesha', async () => {
    const { exited } = netns.start('rpcinfo', ['-T', 'tcp', '127.0.0.1', 'nlockmgr', '4']);
    return (await exited) === 0;
  });
  await server.startBus('allow');
  const lost =
    /NFS-Ganesha runs \(pid (\d+)\), and nobody has the name org\.ganesha\.nfsd on the D-Bus, as where/;
  t.regex(
    (await server.tool('status', address)).output,
    /NOT SERVING: ganesha\.nfsd runs, and can be told nothing/,
  );
  const checked = await server.tool('check', address);
  t.regex(checked.output.split('\n').find((line) => / driver /.test(line)) ?? '', lost);
  const kept = await server.tool('release', address);
  t.is(kept.code, 1, kept.output);
  t.regex(kept.output, lost);
  t.regex(await netns.run('cat', '/proc/self/mountinfo'), /vol1/, 'it is exported, and stays mounted');
  // As the hint has it.
  const [, pid = ''] = /kill -s KILL (\d+)/.exec(kept.output) ?? [];
  await netns.run('kill', '-s', 'KILL', pid);
  const freed = await server.tool('release', address);
  t.is(freed.code, 0, freed.output);
  t.notRegex(await netns.run('cat', '/proc/self/mountinfo'), /vol1/);
  await server.startGanesha();

  // rpc.statd takes its registration away, and another statd has it.
  server.signal('rpc.statd', 'SIGTERM');
  await symlink(process.execPath, netns.path('/run/ganesha.nfsd'));
  const script = path.join(import.meta.dirname, 'registrant-inside.js');
  await waitFor('the end of rpc.statd', async () => {
    const { exited } = netns.start('rpcinfo', ['-T', 'udp', '127.0.0.1', 'status']);
    return (await exited) !== 0;
  });
  await netns.start('/run/ganesha.nfsd', [script, '100024', '1', 'udp']).saw(/registered/);
  await refused(/: NFS-Ganesha is its own statd \(it has registered program 100024\)/);

  // A new rpcbind knows nobody, and then another lockd.
  server.signal('rpcbind', 'SIGKILL');
  await startRpcbind(netns);
  const nobody = await server.tool('takeover', address);
  t.regex(nobody.output, /NFS-Ganesha has not registered NLM \(program 100021\) with rpcbind: no client can/);
  await netns.start(process.execPath, [script, '100021', '4', 'tcp']).saw(/registered/);
  const another = await server.tool('takeover', address);
  t.regex(another.output, /Another program than NFS-Ganesha has registered NLM \(program 100021\)/);
  t.notRegex(await netns.run('cat', '/proc/self/mountinfo'), /vol1/, 'nothing was touched');
});
