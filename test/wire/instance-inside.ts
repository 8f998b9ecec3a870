// Makes or removes the directories of an instance: instance-inside.js make|remove ADDRESS
import { realHost } from '../../src/host/real.js';
import { makeInstanceDirectories } from '../../src/lockmanager/lockd-netns/directories.js';
import { removeInstance } from '../../src/lockmanager/lockd-netns/remove.js';

const [, , verb, address = ''] = process.argv;
if (verb === 'make') await makeInstanceDirectories(realHost, address);
else await removeInstance(address).act({ host: realHost });
