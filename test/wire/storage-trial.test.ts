// Storage that really loses what two write at once: two overlays with one upper directory, between which no lock is seen (Linux
// fs/overlayfs: a lock is one on the overlay's own inode), while what is written is.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Verdict } from '../../src/record/trial/trial.js';
import { netnsTest } from './netns-test.js';

const side = fileURLToPath(new URL('../record/helpers/try-storage.js', import.meta.url));

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
    const { stdout } = await promisify(execFile)(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', process.execPath, side],
      { timeout: 120_000 },
    );
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
