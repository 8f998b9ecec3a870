import test from 'ava';
import { buildInstance } from '../../../src/lockmanager/lockd-netns/build.js';

for (const kind of ['macvlan', 'ipvlan', 'veth'] as const) {
  test(`${kind}: the link is made inside the instance, so that no crash leaves one on the host`, (t) => {
    const link = { kind, parent: 'eth0', bridge: 'br0' };
    const { commands } = buildInstance({
      address: '10.10.1.1',
      link,
      foreignMountpoints: [],
      nfsConf: { threads: 8, manageGids: true, ports: {}, callout: '/bin/true' },
    });
    const made = commands.filter((command) => command.startsWith('ip link add '));
    t.is(made.length, 1);
    t.regex(made[0] ?? '', / name nfs0 netns nfs-10\.10\.1\.1\b/);
    t.deepEqual(
      commands.filter((command) => /^ip link set .* netns /.test(command)),
      [],
    );
  });
}
