// What status shows is how things were at one moment, whatever the other node is doing just then.
import path from 'node:path';
import Sqlite from 'better-sqlite3';
import test from 'ava';
import { loadConfig } from '../../../src/config/load-config.js';
import { drivers } from '../../../src/lockmanager/drivers.js';
import { addressStatus } from '../../../src/failover/status/status.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { MonitorRecord } from '../../../src/record/monitor-record.js';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';

const address = '127.77.8.1';

test.serial('the epoch and the NSM state that status shows belong together', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  t.is((await site.a.tool(['takeover', address, '--no-wait'])).exitCode, 0);
  const file = site.a.path(`/mnt/state1/sm_${address}/monitors.db`);
  const other = new Sqlite(file, { timeout: 1 });
  t.teardown(() => other.close());
  const before = other.prepare('SELECT epoch FROM ownership').pluck().get() as number;

  // The other node takes over between the two reads, as far as the record lets it.
  const takeover = other.transaction(() => other.exec('UPDATE ownership SET epoch = epoch + 1'));
  const read = Object.getOwnPropertyDescriptor(MonitorRecord.prototype, 'nsmState')?.value as () => number;
  let refused = 0;
  MonitorRecord.prototype.nsmState = function nsmState(this: MonitorRecord) {
    try {
      takeover.immediate();
    } catch (error) {
      t.like(error, { code: 'SQLITE_BUSY' });
      refused += 1;
    }
    return read.call(this);
  };
  t.teardown(() => (MonitorRecord.prototype.nsmState = read));

  const config = await loadConfig({ drivers, file: site.a.config });
  const [ip] = config.floatingIps;
  if (ip === undefined) throw new Error('no floating IP');
  const status = await addressStatus(
    {
      host: rehearsalHost(site.a.root),
      config,
      drivers,
      callout: '/ha-callout',
      nlmRegistered: async () => true,
      registeredAt: async () => true,
      run: path.join(site.a.root, 'run/nlm-failover'),
    },
    ip,
  );
  t.is(refused, 1, 'nothing is committed between the reads');
  t.is(status.record?.epoch, before);
  t.is(typeof status.record?.nsmState, 'number');
  // Afterwards it is.
  takeover.immediate();
  t.is(other.prepare('SELECT epoch FROM ownership').pluck().get(), before + 1);
});
