// A device has many names: whichever the configuration has, B-1 mounts it, knows it again, and A-4 unmounts it; what cannot be found is
// refused before anything is mounted. Real loop devices; with device mapper: test/lab/devices.test.ts.
import { randomUUID } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import { imageFile, loopDevice } from '../helpers/loop-device.js';
import { type Netns, withNetns } from '../helpers/netns.js';
import { places, thereAndBack, type Written } from '../helpers/places.js';
import { netnsTest } from './netns-test.js';

const mountpoint = '/run/volume';

/** With a /dev of its own, into which a test may put names. */
async function withDev(t: ExecutionContext): Promise<Netns> {
  t.timeout(240_000);
  const host = await withNetns(t);
  await host.run(
    'sh',
    '-c',
    `mkdir /run/dev && mount -t tmpfs -o mode=755 tmpfs /run/dev
     for one in null zero urandom loop-control loop[0-9]*; do cp -a "/dev/$one" /run/dev/ 2>/dev/null || :; done
     cd /dev && for one in $(ls -d loop[0-9]* loop-control null zero urandom); do [ -e "/run/dev/$one" ] || cp -a "$one" /run/dev/; done
     mount --bind /run/dev /dev`,
  );
  return host;
}

/** As udev would. */
async function link(host: Netns, device: string, name: string): Promise<void> {
  const script = 'mkdir -p "/dev/disk/${1%/*}" && ln -sfn "$0" "/dev/disk/$1"';
  await host.run('sh', '-c', script, device, name);
}

/** Mounted, again, unmounted, again: each once, as the device that it is. */
async function assertMoves(t: ExecutionContext, host: Netns, device: string, type = 'ext4'): Promise<void> {
  const all: Written[] = [[device, mountpoint]];
  for (const [verb, already] of thereAndBack) {
    const { error, already: was } = await places(host, verb, all, { type });
    t.deepEqual([device, verb, error, was], [device, verb, undefined, [already]]);
  }
}

async function assertRefused(
  t: ExecutionContext,
  host: Netns,
  filesystems: readonly Written[],
  why: RegExp,
): Promise<void> {
  const { error = 'not refused' } = await places(host, 'mount', filesystems);
  t.regex(error, why);
  const made = await host.run('sh', '-c', 'ls /run; grep /run/volume /proc/self/mountinfo || :');
  t.notRegex(made, /volume/, 'nothing was mounted, nor a directory made');
}

netnsTest(
  'without udev: LABEL= with a slash, blanks and letters beyond ASCII, quotes, UUID= in any case, links',
  async (t) => {
    const uuid = randomUUID();
    const image = imageFile(t, 'mkfs.ext4', '-q', '-F', '-U', uuid, '-L', '/export1');
    const host = await withDev(t);
    const loop = await loopDevice(host, image);
    await host.run('sh', '-c', 'mkdir /run/names && ln -s "$0" /run/names/vol1', loop);
    for (const device of [
      'LABEL=/export1',
      'label="/export1"',
      `UUID=${uuid}`,
      `UUID="${uuid.toUpperCase()}"`,
      loop,
      '/run/names/vol1',
    ])
      await assertMoves(t, host, device);
    await host.run('e2label', loop, 'my data');
    for (const device of ['LABEL=my data', "LABEL='my data'", 'LABEL=my\\040data'])
      await assertMoves(t, host, device);
    await host.run('e2label', loop, 'Büro "1"');
    await assertMoves(t, host, `LABEL='Büro "1"'`);
  },
);

netnsTest('with the links of udev, which spells them its own way, where blkid finds none', async (t) => {
  const host = await withDev(t);
  // Without any label or UUID to be found by.
  const loop = await loopDevice(host, imageFile(t, 'mkfs.ext4', '-q', '-F', '-U', 'clear'));
  for (const [name, device] of [
    ['by-label/\\x2fexport2', 'LABEL=/export2'],
    ['by-label/our\\x20data', 'LABEL="our data"'],
    ['by-label/Büro\\x5c1', 'LABEL=Büro\\1'],
    ['by-uuid/1234-ABCD', 'UUID=1234-abcd'],
    ['by-partuuid/deadbeef-01', 'PARTUUID=DEADBEEF-01'],
    ['by-partlabel/nfs\\x20data', 'PARTLABEL=nfs data'],
    ['by-id/wwn-0x5000c500a1b2c3d4-part1', 'ID=wwn-0x5000c500a1b2c3d4-part1'],
    ['by-path/pci-0000:00:1f.2-ata-1', '/dev/disk/by-path/pci-0000:00:1f.2-ata-1'],
    ['by-label/our\\x20data', '/dev/disk/by-label/our\\x20data'],
  ] as const) {
    await link(host, loop, name);
    await assertMoves(t, host, device);
  }
});

netnsTest('a link of udev beside what blkid finds: to the same device, and to another', async (t) => {
  const uuid = randomUUID();
  const host = await withDev(t);
  const loop = await loopDevice(host, imageFile(t, 'mkfs.ext4', '-q', '-F', '-U', uuid));
  const other = await loopDevice(host, imageFile(t, 'mkfs.ext4', '-q', '-F'));
  await link(host, other, `by-uuid/${uuid}`);
  const why = new RegExp(`${loop} has it, and udev's link leads to ${other}: write the path of one`);
  await assertRefused(t, host, [[`UUID=${uuid}`, mountpoint]], why);
  await link(host, loop, `by-uuid/${uuid}`);
  await assertMoves(t, host, `UUID=${uuid}`);
});

netnsTest('PARTUUID= of a partition', async (t) => {
  const host = await withDev(t);
  // An MBR with one partition of 15 MB at 1 MB, disk signature 0xdeadbeef; blkid makes the UUID of the two.
  const image = imageFile(
    t,
    'sh',
    '-c',
    `
    printf '\\357\\276\\255\\336' | dd of="$0" bs=1 seek=440 conv=notrunc 2>/dev/null
    printf '\\0\\0\\0\\0\\203\\0\\0\\0\\0\\010\\0\\0\\0\\170\\0\\0' | dd of="$0" bs=1 seek=446 conv=notrunc 2>/dev/null
    printf '\\125\\252' | dd of="$0" bs=1 seek=510 conv=notrunc 2>/dev/null`,
  );
  const script = `set -e
    loop=$(losetup -P -f --show "$0"); exec 9<"$loop"; losetup -d "$loop"
    part=\${loop#/dev/}p1; [ -e /sys/class/block/$part ] || addpart "$loop" 1 2048 30720; IFS=: read -r major minor </sys/class/block/$part/dev
    rm -f "/dev/$part"; mknod "/dev/$part" b "$major" "$minor"; mkfs.ext4 -q -F "/dev/$part"; echo made; read -r _`;
  await host.start('sh', ['-c', script, image]).saw(/made\n/);
  await assertMoves(t, host, 'PARTUUID=DEADBEEF-01');
});

netnsTest('an image file, by its name or a link to it: the kernel mounts a loop device', async (t) => {
  const image = imageFile(t, 'mkfs.ext4', '-q', '-F');
  const host = await withNetns(t);
  await host.run('ln', '-s', image, '/run/image');
  for (const device of [image, '/run/image']) await assertMoves(t, host, device);
});

netnsTest('btrfs, which the kernel knows by a number of its own', async (t) => {
  // The smallest that mkfs.btrfs makes is larger than 16 MB.
  const image = imageFile(t, 'sh', '-c', `truncate -s 128M "$0" && mkfs.btrfs -q -M -L /pool "$0"`);
  const host = await withDev(t);
  const loop = await loopDevice(host, image);
  await host.run('ln', '-s', loop, '/dev/vol1');
  for (const device of [loop, '/dev/vol1', 'LABEL=/pool']) await assertMoves(t, host, device, 'btrfs');
});

netnsTest('a btrfs of two devices, named by either', async (t) => {
  const host = await withDev(t);
  const size = ['sh', '-c', 'truncate -s 128M "$0"'] as const;
  const pair = [await loopDevice(host, imageFile(t, ...size)), await loopDevice(host, imageFile(t, ...size))];
  await host.run('mkfs.btrfs', '-q', '-f', '-L', 'pool', ...pair);
  for (const device of [...pair, 'LABEL=pool']) {
    const options = pair.map((one) => `device=${one}`).join(',');
    for (const verb of ['mount', 'mount', 'unmount'] as const) {
      const { error } = await places(host, verb, [[device, mountpoint]], { type: 'btrfs', options });
      t.is(error, undefined, `${device} ${verb}`);
    }
  }
});

netnsTest(
  'what is not there, is no device, or is meant by two, is refused before anything is mounted',
  async (t) => {
    const uuid = randomUUID();
    const image = imageFile(t, 'mkfs.ext4', '-q', '-F', '-U', uuid, '-L', 'data');
    const host = await withDev(t);
    const loop = await loopDevice(host, image);
    await assertRefused(
      t,
      host,
      [['LABEL=absent', mountpoint]],
      /LABEL=absent cannot be found on this node: no device here has it/,
    );
    await assertRefused(t, host, [['ID=absent', mountpoint]], /ID=absent cannot be found .*udev/);
    await assertRefused(
      t,
      host,
      [['LABEL=..', mountpoint]],
      /LABEL=\.\. cannot be found .*no device here has it/,
    );
    for (const device of ['/dev/absent', '/dev', '/dev/null'])
      await assertRefused(
        t,
        host,
        [[device, mountpoint]],
        /neither a block device nor an image file is there/,
      );
    // The second is refused before the first is mounted.
    await assertRefused(
      t,
      host,
      [
        [loop, mountpoint],
        ['LABEL=absent', '/run/volume2'],
      ],
      /LABEL=absent cannot be found/,
    );
    await assertRefused(
      t,
      host,
      [
        [loop, mountpoint],
        [`UUID=${uuid}`, '/run/volume2'],
      ],
      /\/run\/volume and \/dev\/loop\d+ of \/run\/volume2 are one device on this node/,
    );
    const copy = await loopDevice(host, imageFile(t, 'cp', image));
    for (const device of ['LABEL=data', `UUID=${uuid}`])
      await assertRefused(
        t,
        host,
        [[device, mountpoint]],
        new RegExp(`(?:${loop} and ${copy}|${copy} and ${loop}) have it: write the path of one`),
      );
    // udev's link leads to one of them, whichever: that is no answer.
    for (const one of [loop, copy]) {
      await link(host, one, `by-uuid/${uuid}`);
      await assertRefused(t, host, [[`UUID=${uuid}`, mountpoint]], /loop\d+ have it: write the path of one/);
    }
  },
);

netnsTest(
  'another device of the same name: what is mounted is judged by its number, not by its name',
  async (t) => {
    const host = await withDev(t);
    const mine = await loopDevice(host, imageFile(t, 'mkfs.ext4', '-q', '-F'));
    const other = await loopDevice(host, imageFile(t, 'mkfs.ext4', '-q', '-F'));
    const bind = 'mkdir -p /run/volume && touch /dev/mine && mount --bind "$0" /dev/mine';
    await host.run('sh', '-c', bind, other);
    await host.run('mount', '-t', 'ext4', '/dev/mine', mountpoint);
    await host.run('umount', '/dev/mine');
    await host.run('sh', '-c', bind, mine);
    for (const verb of ['mount', 'unmount'] as const)
      t.regex(
        (await places(host, verb, [['/dev/mine', mountpoint]])).error ?? '',
        /has \/dev\/mine mounted, and the configuration says \/dev\/mine: not touched/,
      );
  },
);

netnsTest(
  'a snapshot has the names of what it is of: what is mounted in its place is meant, and goes',
  async (t) => {
    const label = randomUUID().slice(0, 16);
    const image = imageFile(t, 'mkfs.ext4', '-q', '-F', '-L', label);
    const host = await withDev(t);
    const volume = await loopDevice(host, image);
    const snapshot = await loopDevice(host, imageFile(t, 'cp', image));
    const all: Written[] = [[`LABEL=${label}`, mountpoint]];
    // Without udev, and with its link on the younger of the two.
    for (const isLinked of [false, true]) {
      if (isLinked) await link(host, snapshot, `by-label/${label}`);
      await host.run('sh', '-c', 'mkdir -p "$1" && mount "$0" "$1"', volume, mountpoint);
      for (const verb of ['mount', 'unmount'] as const) {
        const { error, already } = await places(host, verb, all);
        t.deepEqual([error, already], [undefined, [verb === 'mount']]);
      }
      t.notRegex(await host.run('cat', '/proc/self/mountinfo'), /\/run\/volume /);
    }
    // Another device that bears none of the names is none of ours.
    const other = await loopDevice(host, imageFile(t, 'mkfs.ext4', '-q', '-F'));
    await host.run('mount', other, mountpoint);
    t.regex(
      (await places(host, 'unmount', all)).error ?? '',
      /mounted, and the configuration says .*: not touched/,
    );
  },
);
