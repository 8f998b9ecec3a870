import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { readTextIfThere } from '../../src/host/real.js';

test('what /proc tells of a process that ends between open and read is as a file that is not there', async (t) => {
  const child = spawn('sleep', ['60']);
  const fd = openSync(`/proc/${child.pid}/comm`, 'r');
  t.teardown(() => closeSync(fd));
  child.kill('SIGKILL');
  await once(child, 'close');
  // Opens the same file once more, without asking whether the process is still there.
  const file = `/proc/self/fd/${fd}`;
  t.throws(() => readFileSync(file), { code: 'ESRCH' });
  t.is(readTextIfThere(file), undefined);
});

test('what is no regular file, or has no end, is refused at once', (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-read-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const fifo = path.join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  for (const file of [fifo, directory, '/dev/zero'])
    t.throws(() => readTextIfThere(file), { message: `${file} is not a regular file`, code: 'SYSTEM_ERROR' });
  const large = path.join(directory, 'large');
  writeFileSync(large, 'x');
  t.is(readTextIfThere(large), 'x');
  truncateSync(large, 3 * 1024 ** 3);
  t.throws(() => readTextIfThere(large), { message: /large has 3072 MB, more than/, code: 'SYSTEM_ERROR' });
  t.is(readTextIfThere(path.join(directory, 'none')), undefined);
  t.regex(readTextIfThere('/proc/self/mountinfo') ?? '', / \/ /);
});
