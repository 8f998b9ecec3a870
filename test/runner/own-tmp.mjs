// Loaded before each test file (ava.config.mjs): what its tests make in the temporary directory lies in one of their own, which goes
// with this process, however that ends, as a shell sees that waits for it; and with it whatever the tests have started, which knows
// the directory by its environment.
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

// Tests let statd's user at some of what they make.
process.umask(0o022);
const place = [tmpdir(), '/tmp', '/var/tmp'].find(reachable) ?? tmpdir();
// Short: the paths of sockets in it have 108 bytes.
const directory = mkdtempSync(join(place, 'nlm-test-'));
chmodSync(directory, 0o711);
process.env.TMPDIR = directory;

// Again and again, as what a killed process has started may still be writing. In a session of its own, past Ctrl-C.
const remove = `trap '' INT TERM HUP
  read -r _
  for round in 1 2 3 4 5 6 7 8 9 10; do
    left=$(grep -lasF -e "$1" /proc/[0-9]*/environ)
    [ -n "$left" ] || break
    # What cleans up after a test that was killed has some seconds.
    for environment in $left; do
      process=\${environment#/proc/}
      [ "$round" -le 5 ] || kill -KILL "\${process%/environ}" 2>/dev/null
    done
    sleep 1
  done
  while [ -e "$1" ]; do rm -rf -- "$1" 2>/dev/null || sleep 0.1; done`;
const keeper = spawn('sh', ['-c', remove, 'sh', directory], {
  env: { PATH: process.env.PATH },
  detached: true,
  stdio: ['pipe', 'ignore', 'ignore'],
});
keeper.unref();
keeper.stdin.unref();

// When ava is killed nobody tells this process, which would go on with tests that nobody hears of.
const ava = process.ppid;
process.once('disconnect', () => {
  // The channel closes a moment before the process is gone.
  setTimeout(() => process.ppid === ava || process.kill(process.pid, 'SIGKILL'), 100);
});

/** Whether every user may pass through all that lies above. */
function reachable(path) {
  if ((statSync(path, { throwIfNoEntry: false })?.mode & 0o001) === 0) return false;
  return path === '/' || reachable(dirname(path));
}
