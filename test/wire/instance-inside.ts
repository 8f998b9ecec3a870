// Makes or removes the directories of an instance, makes its namespaces too, or reads a file there: instance-inside.js make|enter|remove|read ADDRESS [FILE]
import { runOrFail } from '../../src/host/action.js';
import { realHost } from '../../src/host/real.js';
import { bindMountNamespace } from '../../src/lockmanager/lockd-netns/build.js';
import { makeInstanceDirectories } from '../../src/lockmanager/lockd-netns/directories.js';
import { insideInstance } from '../../src/lockmanager/lockd-netns/inside.js';
import { makeOwnEtc, ownEtcMounts } from '../../src/lockmanager/lockd-netns/own-etc.js';
import { instancePlace, instancePrefix } from '../../src/lockmanager/lockd-netns/place.js';
import { removeInstance } from '../../src/lockmanager/lockd-netns/remove.js';

/** As B-2 makes it, but for what needs a kernel with nfsd, and for its link. */
async function enter(): Promise<void> {
  const place = instancePlace(address);
  await makeInstanceDirectories(realHost, address);
  makeOwnEtc(address, { threads: 8, manageGids: false, ports: { mountd: 4001 }, callout: '/bin/true' });
  const inside = instancePrefix(address);
  await runOrFail(realHost, ['ip', 'netns', 'add', place.netns]);
  await bindMountNamespace(realHost, [
    'unshare',
    `--mount=${place.mountNamespace}`,
    '--propagation',
    'slave',
    'true',
  ]);
  for (const words of [
    ...ownEtcMounts(address),
    ['mount', '--rbind', place.nfs, '/var/lib/nfs'],
    ['ip', 'link', 'set', 'lo', 'up'],
    ['mount', '--rbind', place.run, '/run'],
  ]) {
    const [command, ...args] = [...inside, ...words];
    await runOrFail(realHost, [command, ...args]);
  }
}

const [, , verb, address = '', file = ''] = process.argv;
if (verb === 'read') process.stdout.write(insideInstance(address).readText(file) ?? 'none');
else if (verb === 'make') await makeInstanceDirectories(realHost, address);
else if (verb === 'enter') await enter();
else await removeInstance(address).act({ host: realHost });
