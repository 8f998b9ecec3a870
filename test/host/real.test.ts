import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
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
