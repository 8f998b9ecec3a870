// What the OCF agents see in /proc/locks while other processes take locks and leave them.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { lockWatch } from '../../src/rundir/operation-lock.js';
import { projectRoot } from '../lab/project-root.js';

/** Takes and leaves the locks of sixty databases, for a minute, or until it is ended. */
const busy = `
const Database = require('better-sqlite3');
const all = Array.from({ length: 60 }, (_, at) => new Database(process.argv[1] + at));
const begun = Date.now();
for (let at = 0; Date.now() - begun < 60_000; at = (at + 1) % all.length) all[at].exec(all[at].inTransaction ? 'commit' : 'begin immediate');
`;

/** Looks forty times, each of which is to see a lock, or is to see none. */
const look = `
. "$1/callouts/lib/ocf.sh"
times=0
while [ "$times" -lt 40 ]; do
	if is_locked "$2"; then seen=$pid; else seen=; fi
	[ "$seen" = "$3" ] || { echo "look $times: '$seen'"; exit 1; }
	times=$((times + 1))
done
`;

test('a lock is seen at each look, however busy others are; and none where there is none', (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-locks-'));
  const others = ['a', 'b'].map((name) =>
    spawn(process.execPath, ['-e', busy, path.join(directory, name)], {
      cwd: projectRoot(),
      stdio: 'ignore',
    }),
  );
  t.teardown(() => {
    for (const other of others) other.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  });
  const file = path.join(directory, 'locks/join-grace');
  const looks = (pid: string) =>
    execFileSync('sh', ['-c', look, 'sh', projectRoot(), file, pid], { encoding: 'utf8' });
  const lock = lockWatch(directory);
  try {
    t.is(looks(String(process.pid)), '');
  } finally {
    lock.release();
  }
  t.is(looks(''), '');
});
