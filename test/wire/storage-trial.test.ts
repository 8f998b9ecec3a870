// Storage that really loses what two write at once: two overlays with one upper directory, between which no lock is seen (Linux
// fs/overlayfs: a lock is one on the overlay's own inode), while what is written is.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Verdict } from '../../src/record/trial/trial.js';
import { netnsTest } from './netns-test.js';

const side = fileURLToPath(new URL('../record/helpers/try-storage.js', import.meta.url));

/** In a mount namespace of its own; $1 and $2 run one side of a trial. */
async function inMounts(script: string): Promise<string> {
  const argv = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', process.execPath, side];
  return (await promisify(execFile)('unshare', argv, { timeout: 120_000 })).stdout;
}

netnsTest(
  'locks that do not reach each other: both nodes see that something is lost, and keep that',
  async (t) => {
    const script = `set -e
    mount -t tmpfs tmpfs /mnt
    cd /mnt
    mkdir lower upper work a b
    for one in a b; do mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay "$one"; done
    "$1" "$2" /mnt/a A a 1 30 >a.out &
    "$1" "$2" /mnt/b B b 2 30 >b.out
    wait $!
    tail -qn 1 a.out b.out
    cat upper/storage-trial/[AB].verdict`;
    const stdout = await inMounts(script);
    const [ofA, ofB, ...kept] = stdout.trim().split('\n');
    t.deepEqual(kept, [ofA, ofB], 'what they said is what they keep');
    const verdicts = [ofA, ofB].map((line) => JSON.parse(line ?? '{}') as Verdict);
    t.deepEqual(
      verdicts.map(({ node, other, kept: isKept }) => [node, other, isKept]),
      [
        ['A', 'B', false],
        ['B', 'A', false],
      ],
    );
    t.true(
      verdicts.every(({ why }) => why.length > 0 && why.every((one) => /^[AB]\b|^both /u.test(one))),
      stdout,
    );
    t.log(verdicts[0]?.why);
  },
);

netnsTest(
  'no space, or nothing can be written: an error, which says nothing of what the storage keeps',
  async (t) => {
    const script = `set -e
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/small
    mount -t tmpfs -o size=64k tmpfs /mnt/small
    head -c 36864 /dev/zero >/mnt/small/fill
    "$1" "$2" /mnt/small A a 1 10 >/mnt/a.out &
    "$1" "$2" /mnt/small B b 2 10 | tail -qn 1
    wait $!
    tail -qn 1 /mnt/a.out
    ls /mnt/small/storage-trial | grep verdict || :
    mount -o remount,ro /mnt/small
    "$1" "$2" /mnt/small A a 1 10`;
    const said = (await inMounts(script))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { code: string });
    t.is(said.length, 3, 'and no verdict');
    t.true(
      said.slice(0, 2).every(({ code }) => ['RECORD_FULL', 'STORAGE_UNTRIED'].includes(code)),
      JSON.stringify(said),
    );
    t.true(said.some(({ code }) => code === 'RECORD_FULL'));
    t.is(said[2]?.code, 'RECORD_UNUSABLE');
  },
);
