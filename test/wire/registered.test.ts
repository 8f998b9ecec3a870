// What anybody on a node may tell its rpcbind about the lock manager, and what of that is believed.
import path from 'node:path';
import { withNetns } from '../helpers/netns.js';
import { netnsTest } from './netns-test.js';
import { startRpcbind } from './statd.js';

netnsTest(
  'what others than root register for the lock manager does not keep it from being gone, nor has their port refused',
  async (t) => {
    t.timeout(240_000);
    const netns = await withNetns(t);
    await startRpcbind(netns);
    const script = path.join(import.meta.dirname, 'registered-inside.js');
    const inside = async (...words: string[]) => netns.run(process.execPath, script, ...words);
    const seen = async (): Promise<unknown> => JSON.parse(await inside('as-seen'));
    t.deepEqual(await seen(), { isRegistered: false, ports: [] });
    for (const version of ['9', '4', '1']) await inside('register', '100021', version, '22', 'anybody');
    t.regex(await netns.run('rpcinfo'), /^ *100021 +4 +tcp +\S+\.0\.22 .* unknown$/m);
    t.deepEqual(await seen(), { isRegistered: false, ports: [] });
    await inside('register', '100021', '3', '4045', 'root');
    t.deepEqual(await seen(), { isRegistered: true, ports: [{ protocol: 'tcp', port: 4045 }] });
  },
);
