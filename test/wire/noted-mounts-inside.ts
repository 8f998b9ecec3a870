// Usage: node noted-mounts-inside.js note|here|forget ADDRESS [VOLUMES as JSON]: the note of an address on the host it runs on; `here` prints
// where what is noted is mounted, as JSON.
import { realHost } from '../../src/host/real.js';
import { forgetMounts, notedHere, type NotedVolume, noteMounts } from '../../src/rundir/mounts.js';
import { defaultRunDirectory } from '../../src/rundir/serving.js';

const [verb, address = '', volumes = '[]'] = process.argv.slice(2);
if (verb === 'note') noteMounts(realHost, defaultRunDirectory, address, JSON.parse(volumes) as NotedVolume[]);
if (verb === 'forget') forgetMounts(defaultRunDirectory, address);
if (verb === 'here') {
  const found = notedHere(realHost, defaultRunDirectory, address);
  process.stdout.write(JSON.stringify(found.map(({ note, mount }) => [note.device, mount.mountpoint])));
}
