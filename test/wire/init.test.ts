// `init` on a node that serves with real programs: what exportfs, mount and ip have made is what the configuration says.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { withNetns } from '../helpers/netns.js';
import { imageFile, loopDevice } from '../helpers/loop-device.js';
import { parse } from '../config/sample.js';
import { projectRoot } from '../lab/project-root.js';
import { netnsTest as test } from './netns-test.js';

const uuid = '2f4a1c0e-93d4-4c07-a6c5-0d6d1b7c9e55';

test('a state volume, a blank in a path, IPv6 clients, an export without fsid=; then check reads it', async (t) => {
  t.timeout(60_000);
  const netns = await withNetns(t);
  const images = {
    state: imageFile(t, 'mkfs.ext4', '-q', '-F', '-O', 'mmp'),
    one: imageFile(t, 'mkfs.ext4', '-q', '-F', '-U', uuid),
    two: imageFile(t, 'mkfs.ext4', '-q', '-F'),
  };
  const loops = {
    state: await loopDevice(netns, images.state),
    one: await loopDevice(netns, images.one),
    two: await loopDevice(netns, images.two),
  };
  await netns.run(
    'sh',
    '-ec',
    `mount -t tmpfs tmpfs /srv; touch /var/lib/nfs/etab /var/lib/nfs/rmtab
    mkdir /srv/state '/srv/vol one' /srv/two
    mount ${loops.state} /srv/state
    mount -o noatime,nodev ${loops.one} '/srv/vol one'
    mount ${loops.two} /srv/two
    mkdir '/srv/vol one/da ta'
    ip link add nfs0 type veth peer name nfs1
    ip link set nfs1 up
    ip link set nfs0 up
    ip address add 192.0.2.7/24 dev nfs0
    ip address add fd00:10::1/64 dev nfs0 nodad
    exportfs -o rw,no_subtree_check '[fd00:10::]/64:/srv/vol one/da ta'
    exportfs -o ro,insecure,fsid=77,no_subtree_check 192.0.2.0/24:/srv/two
    exportfs -o rw,fsid=77,no_subtree_check,no_root_squash 192.0.3.1:/srv/two
    exportfs -o rw,no_subtree_check '*:/var'`,
  );
  const tool = path.join(projectRoot(), 'bin/nlm-failover');
  const text = await netns.run(process.execPath, tool, 'init', 'fd00:10::1');
  t.regex(text, /# Left out: \/var \(\*\): /);
  t.regex(text, /# GUESSED: a small ext4 with multiple mount protection/);
  t.regex(text, /# derived: the file system's UUID/);
  const [ip] = parse(text, 'A').floatingIps;
  t.like(ip, {
    address: 'fd00:10::1',
    prefix: 64,
    interface: 'nfs0',
    stateDirectory: '/srv/state',
    stateVolume: { device: images.state, mountpoint: '/srv/state', type: 'ext4', options: '' },
  });
  t.deepEqual(
    ip?.filesystems.map(({ exports, ...volume }) => [
      volume,
      exports.map((one) => [one.path, one.clients, one.options.split(',').toSorted().join(',')]),
    ]),
    [
      [
        { fsid: '77', device: images.two, mountpoint: '/srv/two', type: 'ext4', options: '' },
        [
          ['/srv/two', '192.0.2.0/24', 'insecure,no_subtree_check,ro'],
          ['/srv/two', '192.0.3.1', 'no_root_squash,no_subtree_check,rw'],
        ],
      ],
      [
        {
          fsid: uuid,
          device: images.one,
          mountpoint: '/srv/vol one',
          type: 'ext4',
          options: 'nodev,noatime',
        },
        [['/srv/vol one/da ta', '[fd00:10::]/64', 'no_subtree_check,rw']],
      ],
    ],
  );
  // Only the disks, as nothing else of this host can serve.
  const file = '/run/init.toml';
  writeFileSync(netns.path(file), text, { mode: 0o600 });
  const program = netns.start(process.execPath, [tool, 'check', '--json', '--config', file]);
  await program.exited;
  const lines = program.output().trimEnd().split('\n');
  const found = lines.map((line) => JSON.parse(line) as { check: string; verdict: string; message: string });
  for (const check of ['volumes', 'address', 'exports'])
    t.deepEqual(
      found.filter((line) => line.check === check).map(({ verdict }) => verdict),
      ['ok'],
      JSON.stringify(found.filter((line) => line.check === check)),
    );
  // What is exported is as it was.
  t.is(execFileSync('grep', ['-c', '', netns.path('/var/lib/nfs/etab')], { encoding: 'utf8' }).trim(), '4');
});
