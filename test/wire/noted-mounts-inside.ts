// Usage: node noted-mounts-inside.js note|here|forget|given ADDRESS [VOLUMES as JSON]: the note of an address on the host it runs on; `here` prints
// where what is noted is mounted, as JSON; `given` what a release gives up where the configuration has these file systems, and its remarks.
import type { Config, Filesystem, FloatingIp } from '../../src/config/config.js';
import { asNoted } from '../../src/failover/steps/as-noted.js';
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
if (verb === 'given') {
  const ip: FloatingIp = {
    address,
    family: 4,
    prefix: 24,
    interface: 'eth0',
    names: [],
    stateDirectory: '/srv/state',
    trustClients: false,
    filesystems: JSON.parse(volumes) as Filesystem[],
  };
  const config = { floatingIps: [ip] } as unknown as Config;
  const { floatingIp, remarks } = asNoted(realHost, config, ip, undefined);
  const places = floatingIp.filesystems.map(({ fsid, device, mountpoint }) => [fsid, device, mountpoint]);
  process.stdout.write(JSON.stringify({ places, remarks: remarks.length }));
}
