// Mends the daemons of an instance, as a takeover does that finds it running: mend-inside.js ADDRESS
import { openHost } from '../../src/cli/open-host.js';
import { instanceDaemons } from '../../src/lockmanager/lockd-netns/daemons.js';
import { mendDaemons } from '../../src/lockmanager/lockd-netns/mend.js';

const [, , address = ''] = process.argv;
const { host, registeredAt } = await openHost();
const action = mendDaemons({ address, nfsd: '/proc/fs/nfsd' }, instanceDaemons('/bin/true'));
console.log(await action.act({ host, registeredAt, nlmRegistered: async () => true }));
