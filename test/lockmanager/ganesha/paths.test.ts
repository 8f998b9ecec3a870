// The path that clients mount by is the one that NFS-Ganesha looks for on its file systems, as it is written.
import { renameSync } from 'node:fs';
import test from 'ava';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';

const address = '127.77.16.1';

test('a path behind a symbolic link is refused before anything is touched', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1, driver: 'ganesha' });
  t.teardown(() => site.remove());
  const { a } = site;
  const well = await a.here(['takeover', address, '--no-wait']);
  t.is(well.exitCode, 0, well.stderr);
  t.is(a.read('/dbus.json'), `{"inGrace":true,"exports":[[1,"/mnt/vol1"]],"grace":"5:${address}"}`);
  t.is((await a.here(['release', address])).exitCode, 0);
  t.is(a.read('/dbus.json'), `{"inGrace":true,"exports":[],"grace":"5:${address}"}`);

  // That of the configuration is now a link.
  renameSync(a.path('/mnt'), a.path('/volumes'));
  a.link('/mnt', a.path('/volumes'));
  const refused = await a.here(['takeover', address, '--no-wait']);
  t.regex(
    refused.stderr,
    /\/mnt is a symbolic link, on the way to \/mnt\/vol1, and NFS-Ganesha follows none/,
  );
  t.not(refused.exitCode, 0);
  t.is(a.read('/proc/self/mountinfo'), '');
});
