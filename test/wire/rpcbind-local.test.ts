// The real rpcbind, asked through its local socket from outside its network namespace.
import { registeredPrograms } from '../../src/rpc/rpcbind-local.js';
import { netnsTest } from './netns-test.js';
import { startRpcbind, startStatd } from './statd.js';
import { withNetns } from '../helpers/netns.js';

netnsTest('what is registered with another namespace’s rpcbind', async (t) => {
  const netns = await withNetns(t);
  const socket = netns.path('/run/rpcbind.sock');
  t.is(await registeredPrograms(socket, 10_000), undefined, 'no rpcbind yet');
  await startRpcbind(netns);
  t.deepEqual([...((await registeredPrograms(socket, 10_000)) ?? [])], [100000]);
  await startStatd(netns);
  t.true((await registeredPrograms(socket, 10_000))?.has(100024));
});
