// An instance can be made within a mount namespace too, as in a container. Linux 6.18 refuses that by chance, by the CPU on which the
// outer one was made: so one is made on each.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { netnsTest as test } from './netns-test.js';

test('a mount namespace is bound to a file, whichever CPU made the one around it', (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-mnt-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const script = path.join(import.meta.dirname, 'mount-namespace-inside.js');
  const cpus = availableParallelism();
  for (let cpu = 0; cpu < cpus; cpu += 1) {
    const { status, stderr } = spawnSync(
      'taskset',
      [
        '-c',
        String(cpu),
        'unshare',
        '-m',
        'taskset',
        '-c',
        `0-${cpus - 1}`,
        process.execPath,
        script,
        directory,
        '10',
      ],
      { encoding: 'utf8' },
    );
    t.is(status, 0, stderr);
  }
});
