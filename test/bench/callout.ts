/**
 * What one event costs rpc.statd, beside /bin/true, interleaved in one run; prints a table. Needs root (it becomes
 * statd), perl, and a directory on ext4, xfs or btrfs:
 *
 *     node build/test/bench/callout.js [RUNS [DIRECTORY]]
 *
 * "not durable" is what shows that +S is more than a flag: the same append without it does not wait for the disk.
 * With it the file system's write ends in generic_write_sync(), since IS_SYNC(inode) makes it as good as O_DSYNC
 * (Linux include/linux/fs.h, iocb_flags and generic_write_sync). Measured: 100 events, 100 more cache flushes of the
 * disk in /proc/diskstats; without +S, none.
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { statdUser } from './callout-user.js';
import { medians, type Timed } from './callout-timer.js';

const callout = fileURLToPath(new URL('../../../callouts/ha-callout', import.meta.url));
const runs = Number(process.argv[2] ?? 400);
const directory = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'nlm-failover-bench-'));

/** A run directory with one served address, whose journal is synchronous or not, or is synced by the callout. */
function runDirectory(name: string, how: 'synchronous' | 'sync -d' | 'neither'): string {
  const run = join(directory, name);
  const journal = join(directory, `${name}.journal`);
  for (const part of ['serving', 'sync', 'marks']) mkdirSync(join(run, part), { recursive: true });
  writeFileSync(journal, '');
  chownSync(journal, statdUser.uid, statdUser.gid);
  if (how === 'synchronous') execFileSync('chattr', ['+S', '--', journal]);
  if (how === 'sync -d') symlinkSync(journal, join(run, 'sync', '10.10.1.1'));
  symlinkSync(journal, join(run, 'serving', '10.10.1.1'));
  return run;
}

const shells = [['dash'], ['bash'], ['busybox', 'sh']] as const;

function event(label: string, run: string, shell: readonly string[] = []): Timed {
  const [program, ...rest] = [...shell, callout, 'add-client', '10.10.1.21', 'B'] as const;
  return { label, run, argv: [program, ...rest] };
}

try {
  chmodSync(directory, 0o755);
  const synchronous = runDirectory('synchronous', 'synchronous');
  const synced = runDirectory('synced', 'sync -d');
  const neither = runDirectory('neither', 'neither');
  const idle = join(directory, 'idle');
  const rows: Timed[] = [
    { label: '/bin/true', run: idle, argv: ['/bin/true'] },
    event('ha-callout, journal +S', synchronous),
    event('ha-callout, sync -d', synced),
    event('ha-callout, not durable', neither),
    event('ha-callout, nothing served', idle),
    ...shells.flatMap((shell) => [
      event(`${shell[0]}, journal +S`, synchronous, shell),
      event(`${shell[0]}, sync -d`, synced, shell),
    ]),
  ];
  const results = medians(rows, { runs, user: statdUser.name, env: { PATH: process.env['PATH'] } });
  const [base = Number.NaN] = results;
  console.log(
    `${runs} interleaved runs each, medians; journal ${statSync(join(directory, 'synchronous.journal')).size} bytes`,
  );
  for (const [index, { label }] of rows.entries()) {
    const ms = results[index] ?? Number.NaN;
    console.log(
      `${label.padEnd(28)} ${ms.toFixed(2).padStart(6)} ms ${(ms / base).toFixed(2).padStart(6)} x`,
    );
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
