import test from 'ava';
import { parseFstab, unmountedAbove } from '../../../src/host/reading/fstab.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';

test('parses fstab: comments, swap, blanks in a name, a slash too many', (t) => {
  const text = `# /etc/fstab
UUID=1 / ext4 defaults 0 1
UUID=2\tnone\tswap sw 0 0
  LABEL=vol /srv/with\\040blank/ ext4 noauto 0 0

filer:/x /shared nfs defaults`;
  t.deepEqual(parseFstab(text), ['/', '/srv/with blank', '/shared']);
});

test('the nearest mount point above a directory that is not mounted', (t) => {
  const site = makeRehearsal({ address: '10.10.1.1', rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const host = rehearsalHost(site.a.root);
  const above = (directory: string) => unmountedAbove(host, directory);
  t.is(above('/srv/state'), undefined);
  site.a.write('/etc/fstab', '/dev/x / ext4\n/dev/y /srv ext4\n/dev/z /srv/vol/ ext4\n');
  t.is(above('/srv/vol/state'), '/srv/vol');
  t.is(above('/srv/vol'), '/srv/vol');
  t.is(above('/srv/volume'), '/srv');
  // "/" is in no table of the rehearsal, as in a chroot: it is mounted all the same.
  t.is(above('/var/state'), undefined);
  site.a.write('/proc/self/mountinfo', '1 0 7:1 / /srv/vol rw - ext4 /dev/z rw\n');
  t.is(above('/srv/vol/state'), undefined);
  t.is(above('/srv/other'), '/srv');
});
