import test from 'ava';
import { loadConfig } from '../../../src/config/load-config.js';
import { recordLocation, whyUnreachable } from '../../../src/failover/access/location.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { drivers } from '../../../src/lockmanager/drivers.js';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';

test('of two volumes, one mounted below the other, the record is on the one that it lies on', async (t) => {
  const stateDirectory = '/mnt/vol1/.nlm';
  const site = makeRehearsal({ address: '10.10.1.1', rpcbindPort: 1, fsids: [1, 2], stateDirectory });
  t.teardown(() => site.remove());
  const text = site.a.read('/etc/nlm-failover.toml');
  site.a.write(
    '/etc/nlm-failover.toml',
    text.replace('"/mnt/vol2"', '"/mnt/vol1/deep"').replace('"/mnt/vol1/.nlm"', '"/mnt/vol1/deep/.nlm"'),
  );
  const { floatingIps } = await loadConfig({ drivers, file: site.a.config });
  const [ip] = floatingIps;
  if (ip === undefined) throw new Error('no floating IP');
  const host = rehearsalHost(site.a.root);
  t.is(recordLocation(host, ip).onVolume, '/mnt/vol1/deep');
  // With only the upper one mounted the state directory would be made below a mount point, and be another record.
  site.a.write('/proc/self/mountinfo', '1 0 7:1 / /mnt/vol1 rw - ext4 /dev/vol1 rw\n');
  t.is(whyUnreachable(host, ip), '/mnt/vol1/deep is not mounted');
});
