import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { graceSeconds, lockdInGrace, nlmClientMounts } from '../../../src/host/reading/nfsd.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';

/** A host whose files below /proc are these. */
function hostWith(t: ExecutionContext, files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(path.join(tmpdir(), 'nlm-failover-host-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  return rehearsalHost(root);
}

test('nlm_end_grace as Linux 6.1 gives it, with a NUL at its end', (t) => {
  t.true(lockdInGrace(hostWith(t, { '/proc/fs/lockd/nlm_end_grace': 'N\n\0' })));
  t.false(lockdInGrace(hostWith(t, { '/proc/fs/lockd/nlm_end_grace': 'Y\n\0' })));
  t.is(lockdInGrace(hostWith(t, {})), undefined);
});

test('the grace is the longer of the two', (t) => {
  const both = { '/proc/sys/fs/nfs/nlm_grace_period': '20\n', '/proc/fs/nfsd/nfsv4gracetime': '90\n' };
  t.is(graceSeconds(hostWith(t, both), '/proc/fs/nfsd'), 90);
  t.is(graceSeconds(hostWith(t, { '/proc/sys/fs/nfs/nlm_grace_period': '0\n' }), '/proc/fs/nfsd'), 50);
});

test('the grace of lockd is a multiple of its time-out', (t) => {
  const seconds = (period: number, timeout?: number) =>
    graceSeconds(
      hostWith(t, {
        '/proc/sys/fs/nfs/nlm_grace_period': `${period}\n`,
        ...(timeout === undefined ? {} : { '/proc/sys/fs/nfs/nlm_timeout': `${timeout}\n` }),
      }),
      '/proc/fs/nfsd',
    );
  t.deepEqual(
    [1, 10, 12, 20, 240].map((period) => seconds(period)),
    [10, 10, 20, 20, 240],
  );
  t.is(seconds(10, 3), 12);
  t.is(seconds(0, 20), 100);
});

test('NFSv3 mounts with locking keep lockd running; others do not', (t) => {
  const line = (at: string, type: string, options: string) =>
    `1 0 0:50 / ${at} rw - ${type} server:/x rw,${options}\n`;
  const mountinfo = [
    line('/v3', 'nfs', 'vers=3,hard'),
    line('/nolock', 'nfs', 'vers=3,nolock'),
    line('/v4', 'nfs4', 'vers=4.2'),
    line('/old4', 'nfs', 'vers=4.0'),
    line('/disk', 'ext4', 'noatime'),
  ].join('');
  t.deepEqual(nlmClientMounts(hostWith(t, { '/proc/self/mountinfo': mountinfo })), ['/v3']);
});
