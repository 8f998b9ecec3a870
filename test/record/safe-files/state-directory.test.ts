import { chmodSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { makeStateDirectory } from '../../../src/record/safe-files/state-directory.js';

function volume(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'nlm-failover-volume-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('makes what is missing, 0711, and may be called twice', (t) => {
  const top = volume(t);
  for (let time = 0; time < 2; time += 1) makeStateDirectory(top, join(top, 'a/b'));
  for (const made of ['a', 'a/b']) t.is(lstatSync(join(top, made)).mode & 0o7777, 0o711);
  makeStateDirectory(top, top);
});

test('a symbolic link in the way is refused, and not followed', (t) => {
  const top = volume(t);
  const elsewhere = volume(t);
  symlinkSync(elsewhere, join(top, '.nlm'));
  t.throws(() => makeStateDirectory(top, join(top, '.nlm/state')), {
    code: 'RECORD_UNSAFE',
    message: /symbolic link/,
  });
  t.is(lstatSync(join(elsewhere, 'state'), { throwIfNoEntry: false }), undefined);
});

test('a directory that others can write to, or could replace, is refused', (t) => {
  const top = volume(t);
  mkdirSync(join(top, '.nlm'));
  chmodSync(join(top, '.nlm'), 0o777);
  t.throws(() => makeStateDirectory(top, join(top, '.nlm')), { code: 'RECORD_UNSAFE' });
  chmodSync(join(top, '.nlm'), 0o711);
  chmodSync(top, 0o777);
  t.throws(() => makeStateDirectory(top, join(top, '.nlm')), { message: /not sticky/ });
  chmodSync(top, 0o1777);
  t.notThrows(() => makeStateDirectory(top, join(top, '.nlm')));
});
