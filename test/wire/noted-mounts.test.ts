// What is noted of a mount, and the kernel's table of real ones: as release and status read them, and as the OCF agent does, which has no
// configuration here.
import { join } from 'node:path';
import { imageFile, loopDevice } from '../helpers/loop-device.js';
import { type Netns, withNetns } from '../helpers/netns.js';
import { agentFile, ocf } from '../helpers/ocf-agent.js';
import { netnsTest as test } from './netns-test.js';

const address = '10.88.5.1';

function noted(host: Netns, verb: string, ...volumes: readonly object[]): Promise<string> {
  const script = join(import.meta.dirname, 'noted-mounts-inside.js');
  return host.run(process.execPath, script, verb, address, JSON.stringify(volumes));
}

async function here(host: Netns): Promise<unknown> {
  return JSON.parse(await noted(host, 'here'));
}

/** A stop of the agent without a configuration. */
async function stop(host: Netns) {
  const env = { OCF_RESKEY_address: address, OCF_RESKEY_config: '/no/such/file' };
  const program = host.start(agentFile('address'), ['stop'], env);
  return { code: await program.exited, said: program.output() };
}

test('a device by its number, wherever it is mounted; an image file and a btrfs by where they are', async (t) => {
  t.timeout(120_000);
  const host = await withNetns(t);
  const device = await loopDevice(host, imageFile(t, 'mkfs.ext4', '-q', '-F'));
  const other = await loopDevice(host, imageFile(t, 'mkfs.ext4', '-q', '-F'));
  const image = imageFile(t, 'mkfs.ext4', '-q', '-F');
  const pool = await loopDevice(
    host,
    imageFile(t, 'sh', '-c', 'truncate -s 128M "$0" && mkfs.btrfs -q -M "$0"'),
  );
  const make = 'for one; do mkdir -p "$one"; mount -t tmpfs tmpfs "$one"; umount "$one"; done';
  await host.run('sh', '-c', make, 'sh', '/run/a b', '/run/moved', '/run/image#1', '/run/pool');
  await host.run('ln', '-s', device, '/run/vol1');
  await noted(
    host,
    'note',
    { device: '/run/vol1', mountpoint: '/run/a b', type: 'ext4', options: 'noatime' },
    { device: image, mountpoint: '/run/image#1', type: 'ext4', options: '' },
    { device: pool, mountpoint: '/run/pool', type: 'btrfs', options: '' },
  );
  t.is(
    await host.run('stat', '-c', '%a', '/run/nlm-failover/mounts', `/run/nlm-failover/mounts/${address}`),
    '700\n600\n',
  );
  t.deepEqual(await here(host), []);
  t.is((await stop(host)).code, ocf.success, 'what is noted and not mounted fences nobody');
  // Something else in its place is not it.
  await host.run('mount', '-t', 'ext4', other, '/run/a b');
  t.deepEqual(await here(host), []);
  t.is((await stop(host)).code, ocf.success);
  await host.run('umount', '/run/a b');
  for (const [what, type, device_, mountpoint] of [
    ['/run/vol1', 'ext4', device, '/run/a b'],
    ['/run/vol1', 'ext4', device, '/run/moved'],
    [image, 'ext4', image, '/run/image#1'],
    [pool, 'btrfs', pool, '/run/pool'],
  ] as const) {
    await host.run('mount', '-t', type, device_, mountpoint);
    t.deepEqual(await here(host), [[what, mountpoint]]);
    const { code, said } = await stop(host);
    t.is(code, ocf.generic, said);
    t.regex(
      said,
      /^ocf-exit-reason:10\.88\.5\.1 may be here still \(\S+ is mounted, and 10\.88\.5\.1 is not served here\), /m,
    );
    await host.run('umount', mountpoint);
    t.is((await stop(host)).code, ocf.success);
  }
  // The number that it had, of a device that has another one by now, is somebody else's in any other place.
  await host.run('ln', '-sfn', other, '/run/vol1');
  await host.run('mount', '-t', 'ext4', device, '/run/moved');
  t.deepEqual(await here(host), []);
  await host.run('umount', '/run/moved');
  await host.run('mount', '-t', 'ext4', device, '/run/a b');
  t.deepEqual(await here(host), [['/run/vol1', '/run/a b']]);
  await host.run('umount', '/run/a b');
  await host.run('ln', '-sfn', device, '/run/vol1');
  // What was noted before and is mounted stays beside what is noted now.
  await host.run('mount', '-t', 'ext4', device, '/run/a b');
  await noted(host, 'note', { device: pool, mountpoint: '/run/pool', type: 'btrfs', options: '' });
  t.deepEqual(await here(host), [['/run/vol1', '/run/a b']]);
  await noted(host, 'forget');
  t.deepEqual(await here(host), []);
  t.is((await stop(host)).code, ocf.success);
});

test('what a release gives up is what is mounted, by whatever name the configuration has it', async (t) => {
  t.timeout(120_000);
  const host = await withNetns(t);
  const [one, two] = [
    await loopDevice(host, imageFile(t, 'mkfs.ext4', '-q', '-F')),
    await loopDevice(host, imageFile(t, 'mkfs.ext4', '-q', '-F')),
  ];
  const image = imageFile(t, 'mkfs.ext4', '-q', '-F');
  const pool = await loopDevice(
    host,
    imageFile(t, 'sh', '-c', 'truncate -s 128M "$0" && mkfs.btrfs -q -M "$0"'),
  );
  await host.run('sh', '-ec', 'mkdir /run/one "/run/t w" /run/image /run/pool; ln -s "$0" /run/by-uuid', one);
  const volume = (fsid: string, device: string, mountpoint: string, type = 'ext4') => ({
    fsid,
    device,
    mountpoint,
    type,
    options: '',
    exports: [{ path: mountpoint, clients: '*', options: '' }],
  });
  const all = [
    volume('1', one, '/run/one'),
    volume('2', two, '/run/t w'),
    volume('3', image, '/run/image'),
    volume('4', pool, '/run/pool', 'btrfs'),
  ] as const;
  await noted(host, 'note', ...all);
  for (const { type, device, mountpoint } of all) await host.run('mount', '-t', type, device, mountpoint);
  const mounted = all.map(({ fsid, device, mountpoint }) => [fsid, device, mountpoint]);
  const given = async (...volumes: readonly object[]) =>
    JSON.parse(await noted(host, 'given', ...volumes)) as { places: string[][]; remarks: number };
  t.deepEqual(await given(...all), { places: mounted, remarks: 0 });
  // Another name of the same device is no change.
  const [first, second, third, fourth] = all;
  t.deepEqual(await given({ ...first, device: '/run/by-uuid' }, second, third, fourth), {
    places: [['1', '/run/by-uuid', '/run/one'], ...mounted.slice(1)],
    remarks: 0,
  });
  // Every mount point, then every device edited; two that have changed places; none left.
  const elsewhere = all.map((each) => ({ ...each, mountpoint: `/run/new${each.mountpoint}` }));
  t.deepEqual(await given(...elsewhere), { places: mounted, remarks: 4 });
  t.deepEqual(await given(...all.map((each) => ({ ...each, device: '/dev/absent' }))), {
    places: mounted,
    remarks: 4,
  });
  const swapped = [
    { ...first, device: two },
    { ...second, device: one },
  ];
  t.deepEqual(await given(...swapped, third, fourth), { places: mounted, remarks: 2 });
  t.deepEqual(await given(), { places: mounted, remarks: 4 });
  // What is not mounted is as it is configured.
  for (const { mountpoint } of all.slice(1)) await host.run('umount', mountpoint);
  t.deepEqual(await given(...elsewhere), {
    places: [
      mounted[0],
      ...elsewhere.slice(1).map(({ fsid, device, mountpoint }) => [fsid, device, mountpoint]),
    ],
    remarks: 1,
  });
});

test("a mount that was left to itself: the agent waits for root's, and for no other", async (t) => {
  t.timeout(120_000);
  const host = await withNetns(t);
  await host.run('sh', '-c', 'mkdir /run/bin "/run/a b"; cp /bin/sh /run/bin/mount');
  await noted(host, 'note', { device: '/dev/absent', mountpoint: '/run/a b', type: 'ext4', options: '' });
  const left = async (...prefix: string[]) => {
    const words = [...prefix, '/run/bin/mount', '-c', 'echo begun; read -r _', 'sh', '/run/a b'];
    const [command, ...args] = words as [string, ...string[]];
    const program = host.start(command, args);
    await program.saw(/begun/);
    return program;
  };
  const others = await left('setpriv', '--reuid=1000', '--clear-groups', '--regid=1000');
  t.is((await stop(host)).code, ocf.success);
  const roots = await left();
  const { code, said } = await stop(host);
  t.is(code, ocf.generic);
  t.regex(said, /mount \(pid \d+\) still works on a volume of it/);
  // Meanwhile it ends.
  const waiting = stop(host);
  roots.end();
  await roots.exited;
  t.is((await waiting).code, ocf.success);
  others.end();
  await others.exited;
});
