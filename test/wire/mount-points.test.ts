// A mount point is a place, however it is written: B-1 makes it where it is missing, and B-1, B-5, A-2 and A-4 name it as the kernel does.
import type { ExecutionContext } from 'ava';
import { imageFile, loopDevice } from '../helpers/loop-device.js';
import { type Netns, withNetns } from '../helpers/netns.js';
import { places, thereAndBack } from '../helpers/places.js';
import { netnsTest } from './netns-test.js';

interface Volume {
  readonly host: Netns;
  readonly device: string;
}

async function volume(t: ExecutionContext): Promise<Volume> {
  t.timeout(240_000);
  const host = await withNetns(t);
  return { host, device: await loopDevice(host, imageFile(t, 'mkfs.ext4', '-q', '-F')) };
}

/** Mounted, again, unmounted, again: each once, and at `real`. */
async function assertMoves(
  t: ExecutionContext,
  { host, device }: Volume,
  written: string,
  real: string,
): Promise<void> {
  for (const [verb, already] of thereAndBack) {
    const seen = await places(host, verb, [[device, written]]);
    t.deepEqual([written, verb, seen.error, seen.already], [written, verb, undefined, [already]]);
    t.is(seen.filesystems?.[0]?.mountpoint, real);
    t.is(seen.filesystems?.[0]?.exports[0]?.path, `${real}/data`);
    const table = await host.run('cat', '/proc/self/mountinfo');
    t.is(table.includes(`${device} `), verb === 'mount', `${written} ${verb}`);
  }
}

netnsTest(
  'symbolic links: the last component, one in the middle, a chain, with "..", to a place that is missing',
  async (t) => {
    const one = await volume(t);
    await one.host.run(
      'sh',
      '-c',
      `mkdir -p /run/real/vol /run/b && ln -s /run/real/vol /run/last && ln -s b /run/a && ln -s last /run/chain
     ln -s ../run/./b/../real /run/dots && ln -s /run/nowhere/yet /run/dangling`,
    );
    for (const [written, real] of [
      ['/run/last', '/run/real/vol'],
      ['/run/a/vol', '/run/b/vol'],
      ['/run/chain', '/run/real/vol'],
      ['/run/dots/vol2', '/run/real/vol2'],
      ['/run/dangling', '/run/nowhere/yet'],
      ['/run/dangling/below', '/run/nowhere/yet/below'],
    ] as const)
      await assertMoves(t, one, written, real);
  },
);

netnsTest(
  'a slash at the end, a missing directory, blanks, letters beyond ASCII, what mountinfo escapes',
  async (t) => {
    const one = await volume(t);
    for (const place of [
      '/run/new/deep',
      '/run/my data',
      '/run/Büro €',
      '/run/a - b',
      '/run/back\\slash',
      '/run/ein#"\'`$x',
    ])
      await assertMoves(t, one, place, place);
    await assertMoves(t, one, '/run/slash//', '/run/slash');
  },
);

netnsTest(
  'below another volume of the address, whatever the order in the file: made there, never where a link on that volume leads',
  async (t) => {
    const { host, device } = await volume(t);
    const inner = await loopDevice(host, imageFile(t, 'mkfs.ext4', '-q', '-F'));
    const both = [
      [device, '/run/outer'],
      [inner, '/run/outer/in/ner'],
    ] as const;
    t.deepEqual((await places(host, 'mount', both)).already, [false, false]);
    t.deepEqual((await places(host, 'mount', both)).already, [true, true]);
    t.deepEqual((await places(host, 'unmount', both)).already, [false, false]);
    await host.run(
      'sh',
      '-c',
      'mkdir /run/victim && mount "$0" /run/outer && rmdir /run/outer/in/ner && ln -s /run/victim /run/outer/in/ner',
      device,
    );
    t.regex(
      (await places(host, 'mount', both)).error ?? '',
      /mount point \/run\/outer\/in\/ner leads to \/run\/victim by a symbolic link on a volume/,
    );
    t.notRegex(await host.run('cat', '/proc/self/mountinfo'), /victim/);
  },
);

netnsTest('the state directory is on the volume, by whichever way each is named', async (t) => {
  const { host, device } = await volume(t);
  await host.run('sh', '-c', 'mkdir -p /run/real && ln -s /run/real /run/link && ln -s /run /run/round');
  for (const [mountpoint, written, real] of [
    ['/run/link', '/run/link/.nlm', '/run/real/.nlm'],
    ['/run/real', '/run/link/.nlm', '/run/real/.nlm'],
    ['/run/link', '/run/round/real/.nlm', '/run/real/.nlm'],
    ['/run/link', '/run/round/elsewhere', '/run/round/elsewhere'],
  ] as const) {
    for (const verb of ['look', 'mount', 'unmount'] as const) {
      const seen = await places(host, verb, [[device, mountpoint]], { stateDirectory: written });
      t.deepEqual([seen.error, seen.stateDirectory], [undefined, real], `${written} ${verb}`);
    }
  }
});

netnsTest('a file, links in a ring: refused, and nothing is mounted', async (t) => {
  const { host, device } = await volume(t);
  await host.run('sh', '-c', 'touch /run/file; ln -s ring2 /run/ring1; ln -s ring1 /run/ring2');
  t.regex((await places(host, 'mount', [[device, '/run/file']])).error ?? '', /is not a directory/);
  t.regex(
    (await places(host, 'mount', [[device, '/run/file/below']])).error ?? '',
    /ENOTDIR|not a directory/,
  );
  t.regex((await places(host, 'mount', [[device, '/run/ring1']])).error ?? '', /ELOOP|symbolic link/);
  t.false((await host.run('cat', '/proc/self/mountinfo')).includes(`${device} `));
});
