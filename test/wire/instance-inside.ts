// Makes or removes the directories of an instance, or reads a file there: instance-inside.js make|remove|read ADDRESS [FILE]
import { realHost } from '../../src/host/real.js';
import { makeInstanceDirectories } from '../../src/lockmanager/lockd-netns/directories.js';
import { insideInstance } from '../../src/lockmanager/lockd-netns/inside.js';
import { removeInstance } from '../../src/lockmanager/lockd-netns/remove.js';

const [, , verb, address = '', file = ''] = process.argv;
if (verb === 'read') process.stdout.write(insideInstance(address).readText(file) ?? 'none');
else if (verb === 'make') await makeInstanceDirectories(realHost, address);
else await removeInstance(address).act({ host: realHost });
