import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { lockdLocks, parseLocks, seesLockd } from '../../../src/host/reading/locks.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';

// Two lines of a 6.1 kernel with nfsd, and one that waits.
const procLocks = `1: POSIX  ADVISORY  WRITE 812 62:00:13 0 EOF
2: FLOCK  ADVISORY  WRITE 1033 00:19:4242 0 EOF
3: POSIX  ADVISORY  READ  812 fd:a1:99 128 255
3: -> POSIX  ADVISORY  WRITE 812 fd:a1:99 0 EOF
`;

test('parses /proc/locks, devices in decimal, without those who only wait', (t) => {
  t.deepEqual(parseLocks(procLocks), [
    { kind: 'POSIX', mode: 'WRITE', pid: 812, deviceNumber: '98:0', inode: 13, start: '0', end: 'EOF' },
    { kind: 'FLOCK', mode: 'WRITE', pid: 1033, deviceNumber: '0:25', inode: 4242, start: '0', end: 'EOF' },
    { kind: 'POSIX', mode: 'READ', pid: 812, deviceNumber: '253:161', inode: 99, start: '128', end: '255' },
  ]);
});

test('lines of another shape are left out', (t) => {
  t.deepEqual(parseLocks('nonsense\n\n4: LEASE  ACTIVE    READ  77 00:19:1 0 EOF extra\n'), []);
});

/** A node with these files below its /proc. */
function hostWith(t: ExecutionContext, files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(path.join(tmpdir(), 'nlm-failover-host-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  for (const [file, text] of Object.entries({ '/proc/version': '', ...files })) {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  return rehearsalHost(root);
}

test('the locks of lockd on a device: its thread’s, and those of nobody who is there', (t) => {
  const host = hostWith(t, { '/proc/locks': procLocks, '/proc/812/comm': 'lockd\n' });
  t.deepEqual(
    lockdLocks(host, '253:161')?.map(({ inode }) => inode),
    [99],
  );
  const others = hostWith(t, { '/proc/locks': procLocks, '/proc/812/comm': 'postgres\n' });
  t.deepEqual(lockdLocks(others, '253:161'), []);
  t.is(lockdLocks(hostWith(t, { '/proc/locks': procLocks }), '98:0')?.length, 1);
});

test('they are not known where the list cannot be read, in whole or in one line', (t) => {
  t.is(lockdLocks(hostWith(t, {}), '98:0'), undefined);
  const odd = `${procLocks}5: POSIX  ADVISORY  WRITE 812 of:another:shape 0 EOF\n`;
  t.is(lockdLocks(hostWith(t, { '/proc/locks': odd }), '98:0'), undefined);
  // Of no file, or no lock of that kind, or one that waits: none of lockd's.
  const harmless = `${procLocks}5: POSIX  *NOINODE* WRITE 7 <none>:0 0 EOF
6: LEASE  BREAKING  UNLCK 77 00:19:1 0 EOF
7: -> POSIX  ADVISORY  WRITE 812 of:another:shape 0 EOF
`;
  t.is(lockdLocks(hostWith(t, { '/proc/locks': harmless }), '98:0')?.length, 1);
});

test('whether the thread of lockd is to be seen here', (t) => {
  t.true(seesLockd(hostWith(t, { '/proc/1/comm': 'init\n', '/proc/812/comm': 'lockd\n' })));
  t.false(seesLockd(hostWith(t, { '/proc/1/comm': 'lockdown\n', '/proc/sys/comm': 'lockd\n' })));
});
