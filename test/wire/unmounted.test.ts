// unmounted means that nobody on this node has the device any more. Real loop devices, mounted in a namespace of the test's own.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { imageFile, loopDevice } from '../helpers/loop-device.js';
import { type Netns, withNetns } from '../helpers/netns.js';
import { askInside } from '../helpers/inside.js';
import type { Acted } from './act.js';
import { netnsTest } from './netns-test.js';

const mountpoint = '/run/volume';

interface Volume {
  readonly host: Netns;
  readonly device: string;
  readonly image: string;
  readonly act: (name: string) => Promise<Acted>;
}

const actScript = join(import.meta.dirname, 'act.js');
const act = (netns: Netns, name: string, argument: unknown) =>
  askInside<Acted>(netns, actScript, `${name} ${JSON.stringify(argument)}`);

/** `isFile`: the configuration names the image file itself. */
async function mounted(t: ExecutionContext, { isFile = false } = {}): Promise<Volume> {
  t.timeout(120_000);
  const image = imageFile(t, 'mkfs.ext4', '-q', '-F');
  const host = await withNetns(t);
  const device = isFile ? image : await loopDevice(host, image);
  const filesystem = { device, mountpoint, type: 'ext4', options: '' };
  const volume = { host, device, image, act: (name: string) => act(host, name, filesystem) };
  t.deepEqual(await volume.act('mount'), { already: false });
  t.deepEqual(await volume.act('mount'), { already: true });
  return volume;
}

async function isMounted({ host }: Volume): Promise<boolean> {
  return (await host.run('cat', '/proc/self/mountinfo')).includes(` ${mountpoint} `);
}

/** In use: refused, by whom is said, and all is as before; let go: done. */
async function assertHeld(
  t: ExecutionContext,
  volume: Volume,
  who: RegExp,
  letGo: () => Promise<unknown>,
): Promise<void> {
  const { error = '' } = await volume.act('unmount');
  t.regex(error, /is still in use on this node, /);
  t.regex(error, who);
  t.regex(error, /another node must not mount it; \/run\/volume is mounted again/);
  t.true(await isMounted(volume), 'it is mounted again');
  await letGo();
  t.deepEqual(await volume.act('unmount'), { already: false });
  t.false(await isMounted(volume));
  t.deepEqual(await volume.act('unmount'), { already: true });
}

netnsTest('a bind mount elsewhere', async (t) => {
  const volume = await mounted(t);
  const { host } = volume;
  await host.run('sh', '-c', 'mkdir "/run/back up" && mount --bind /run/volume "/run/back up"');
  await assertHeld(t, volume, /mounted on \/run\/back up:/, () => host.run('umount', '/run/back up'));
});

netnsTest('one directory of it, bound elsewhere', async (t) => {
  const volume = await mounted(t);
  const { host } = volume;
  await host.run('sh', '-c', 'mkdir /run/volume/sub /run/sub && mount --bind /run/volume/sub /run/sub');
  await assertHeld(t, volume, /mounted on \/run\/sub:/, () => host.run('umount', '/run/sub'));
});

netnsTest('a copy in another mount namespace', async (t) => {
  const volume = await mounted(t);
  const script = 'echo copied; read -r _';
  const other = volume.host.start('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script]);
  await other.saw(/copied/);
  await assertHeld(t, volume, /mounted on \/run\/volume in the mount namespace of sh \(pid \d+\):/, () => {
    other.end();
    return other.exited;
  });
});

netnsTest(
  'a mount that was only hidden (umount -l), with a file open in it, or a working directory',
  async (t) => {
    for (const [use, name] of [
      ['touch /run/other/file; exec 3</run/other/file', 'sh'],
      ['cd /run/other', 'sh'],
    ] as const) {
      const volume = await mounted(t);
      const script = `mkdir -p /run/other; mount --bind /run/volume /run/other; ${use}; umount -l /run/other; echo hidden; read -r _`;
      const holder = volume.host.start('sh', ['-c', script]);
      await holder.saw(/hidden/);
      await assertHeld(t, volume, new RegExp(`open in ${name} \\(pid \\d+\\):`), () => {
        holder.end();
        return holder.exited;
      });
    }
  },
);

netnsTest('a loop device that is made of it', async (t) => {
  const volume = await mounted(t);
  const above = await loopDevice(volume.host, volume.device);
  await volume.host.run('sh', '-c', 'mkdir /run/above');
  t.regex((await volume.act('unmount')).error ?? '', new RegExp(`, ${above} is made of it: another node`));
});

netnsTest('an image file that is mounted by its name: whoever has its loop device has it', async (t) => {
  const volume = await mounted(t, { isFile: true });
  const { host } = volume;
  await host.run('sh', '-c', 'mkdir /run/copy && mount --bind /run/volume /run/copy');
  await assertHeld(
    t,
    volume,
    /in use on this node, \/dev\/loop\d+ is made of it, mounted on \/run\/copy:/,
    () => host.run('umount', '/run/copy'),
  );
});

netnsTest("a mount or umount that a killed command has left: root's is waited for", async (t) => {
  const volume = await mounted(t);
  const { host, device } = volume;
  await host.run(
    'sh',
    '-c',
    'for name in mount umount less; do mkdir -p /run/bin; cp /bin/sh "/run/bin/$name"; done; ln -s "$0" /run/name',
    device,
  );
  const left = async (name: string, word: string, ...prefix: string[]) => {
    const [command, ...args] = [...prefix, `/run/bin/${name}`, '-c', 'echo begun; read -r _', 'sh', word];
    const program = host.start(command, args);
    await program.saw(/begun/);
    return program;
  };
  // By any name of the device.
  for (const [name, word] of [
    ['mount', '/run/name'],
    ['umount', mountpoint],
  ] as const) {
    const program = await left(name, word);
    const { error = '' } = await volume.act('unmount');
    t.regex(error, new RegExp(` ${name} \\(pid \\d+\\) still works on ${device} or ${mountpoint}, `));
    t.true(await isMounted(volume));
    program.end();
    await program.exited;
  }
  const others = [
    await left('less', mountpoint),
    await left('mount', '/run/other'),
    await left('mount', mountpoint, 'setpriv', '--reuid=1000', '--clear-groups', '--regid=1000'),
  ];
  t.deepEqual(await volume.act('unmount'), { already: false });
  t.deepEqual(await volume.act('unmount'), { already: true });
  for (const program of others) {
    program.end();
    await program.exited;
  }
});

netnsTest('mounted twice at its place, and a mount below it', async (t) => {
  const volume = await mounted(t);
  const { host } = volume;
  await host.run('sh', '-c', 'mkdir /run/volume/below && mount -t tmpfs tmpfs /run/volume/below');
  t.regex(
    (await volume.act('unmount')).error ?? '',
    /umount \/run\/volume: .*busy.*; held by the mount on \/run\/volume\/below; tried/,
  );
  await host.run('umount', '/run/volume/below');
  await host.run('mount', '--bind', mountpoint, mountpoint);
  t.deepEqual(await volume.act('unmount'), { already: false });
  t.false(await isMounted(volume));
});

netnsTest(
  'the superblock is read past the page cache, which does not see what another node writes',
  async (t) => {
    t.timeout(120_000);
    const image = imageFile(t, 'mkfs.ext4', '-q', '-F');
    const host = await withNetns(t);
    const device = await loopDevice(host, image);
    const cached = () => host.run('sh', '-c', 'od -A n -t u1 -j 1120 -N 1 "$0"', device);
    t.is((await cached()).trim(), '194'); // 0xc2: extents, 64bit, flex_bg
    // As another node that mounts it: INCOMPAT_RECOVER.
    const bytes = readFileSync(image);
    bytes[1024 + 0x60] = 0xc6;
    writeFileSync(image, bytes);
    t.is((await cached()).trim(), '194', 'the page cache of the device is stale');
    t.deepEqual(await act(host, 'superblock', { device }), { already: false, remark: 'dirty' });
  },
);
