// The record on an exported volume (trust_clients = true): a client that says it is statd erases it, root squash or not. That it gets
// at nothing of a state volume is in planned.test.ts.
import { forge } from './forge.js';
import { lockThrough, moving, prepareServers, scenario, startAddress } from './scenario.js';
import type { SiteIp } from './site.js';

const trusting: SiteIp = { ...moving, stateDirectory: '/mnt/vol1/.nlm', squash: 'root_squash' };

scenario('trust_clients = true: a client that says it is statd erases the record', async (t, lab) => {
  await prepareServers(lab, [trusting]);
  await startAddress(lab.a, trusting);
  await lab.a.run(
    'chmod 1777 /mnt/vol1; touch /mnt/vol1/file /mnt/vol1/data; chmod 666 /mnt/vol1/file /mnt/vol1/data',
  );
  const { reached, isRecorded } = await forge(lab, trusting, await lockThrough(lab, trusting));
  t.is(reached, 'forged /mnt/nfs/.nlm/sm_10.10.1.1/journal.A\n');
  t.false(isRecorded);
});
