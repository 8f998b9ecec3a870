// The record on an exported volume (trust_clients = true): a client that says it is statd erases it, root squash or not. That it gets
// at nothing of a state volume is in planned.test.ts.
import { forge } from './forge.js';
import { lockThrough, prepareServers, scenario, startAddress } from './scenario.js';

scenario('trust_clients = true: a client that says it is statd erases the record', async (t, lab) => {
  const { a, moving, site } = lab;
  await prepareServers(lab);
  await startAddress(a, moving);
  const { reached, isRecorded } = await forge(lab, moving, await lockThrough(lab, moving));
  t.is(reached, `forged /mnt/nfs/.nlm/sm_${moving.address}/journal.A\n`);
  t.is(site.traits.options, 'root_squash');
  t.false(isRecorded);
});
