// File systems on which the kernel's lock manager cannot keep locks apart: a takeover refuses them, by what is configured or mounted.
import test from 'ava';
import { exitCodes } from '../../src/errors.js';
import { configure } from '../helpers/check-sites.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';

const address = '127.77.47.1';

test('takeover refuses GFS2 before it touches anything, and takes it with locks of its own', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const { a } = site;
  const volume = `mountpoint = "/mnt/vol1"\n  type = "ext4"`;
  configure(a, volume, volume.replace('ext4', 'gfs2'));
  for (const driver of ['auto', 'lockd']) {
    configure(a, '[lock_manager]', `[lock_manager]\ndriver = "${driver}"`);
    const refused = await a.here(['takeover', address]);
    t.is(refused.exitCode, exitCodes.configuration, refused.stderr);
    t.regex(refused.stderr, /\/mnt\/vol1 is GFS2, whose locks dlm keeps, which takes lockd for one owner/);
    t.is(a.read('/proc/self/mountinfo'), '', 'nothing was mounted');
    const check = await a.here(['check', address]);
    t.regex(check.stdout, /FAILURE {2}driver .*\/mnt\/vol1 is GFS2/);
    configure(a, `driver = "${driver}"\n`, '');
  }
  configure(a, 'type = "gfs2"', 'type = "gfs2"\n  options = "noatime,localflocks"');
  const taken = await a.here(['takeover', address, '--no-wait']);
  t.is(taken.exitCode, exitCodes.done, taken.stderr);
  // Served as it is, it is not left without its clients' notification.
  configure(a, 'noatime,localflocks', 'noatime');
  t.is((await a.here(['release', address])).exitCode, exitCodes.done);
});
