import test from 'ava';
import { parseLocks } from '../../src/host/reading/locks.js';

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
