// What another node does to a file while this one opens it, and what shared storage refuses with that Node has no word for.
import fs, { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { errnoOf, FailoverError, messageOf, systemError } from '../../../src/errors.js';
import { isFull, recordError } from '../../../src/record/record-error.js';
import { readShared } from '../../../src/record/shared-file.js';

/** As Node makes it of an error that libuv has no name for. */
function nameless(errno: number, call: string): Error {
  const code = `Unknown system error -${errno}`;
  return Object.assign(new Error(`${code}: ${code}, ${call}`), { errno: -errno, code, syscall: call });
}

function temporary(t: ExecutionContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-replaced-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** The next so many of fstat(2) and read(2) fail with ESTALE, as on GlusterFS where another node has renamed another file over it. */
function replacedMeanwhile(t: ExecutionContext, { stats = 0, reads = 0 }): () => number {
  const { fstatSync, readSync } = fs;
  let left = { stats, reads };
  const restore = () => {
    Object.assign(fs, { fstatSync, readSync });
    syncBuiltinESMExports();
  };
  t.teardown(restore);
  fs.fstatSync = ((...args: Parameters<typeof fstatSync>) => {
    if (left.stats === 0) return fstatSync(...args);
    left = { ...left, stats: left.stats - 1 };
    throw nameless(116, 'fstat');
  }) as typeof fstatSync;
  fs.readSync = ((...args: Parameters<typeof readSync>) => {
    if (left.reads === 0) return readSync(...args);
    left = { ...left, reads: left.reads - 1 };
    throw nameless(116, 'read');
  }) as typeof readSync;
  syncBuiltinESMExports();
  return () => left.stats + left.reads;
}

const cases = [
  { title: 'right after it was opened', stats: 1 },
  { title: 'before it is read', stats: 0, reads: 1 },
  { title: 'again and again', stats: 3 },
];
for (const { title, ...failing } of cases)
  test.serial(`a file that another node replaces ${title} is read anew`, (t) => {
    const file = path.join(temporary(t), 'call');
    writeFileSync(file, '{"id":1}\n');
    const left = replacedMeanwhile(t, failing);
    t.deepEqual(readShared(file), { id: 1 });
    t.is(left(), 0);
  });

test.serial('one that is stale whenever it is opened is named, with how', (t) => {
  const file = path.join(temporary(t), 'call');
  writeFileSync(file, '{"id":1}\n');
  replacedMeanwhile(t, { stats: 1000 });
  const { code, message } = t.throws(() => readShared(file), { instanceOf: FailoverError });
  t.is(code, 'SYSTEM_ERROR');
  t.is(message, `reading ${file}: ESTALE: stale file handle, fstat`);
});

test('an error that Node has no name for has the one of the kernel', (t) => {
  const quota = nameless(122, 'write');
  t.is(errnoOf(quota), 'EDQUOT');
  t.is(messageOf(quota), 'EDQUOT: disk quota exceeded, write');
  t.true(isFull(recordError('writing /srv/state/sm_10.10.1.1/monitors.db', quota)), 'as a full disk');
  // ext4 and xfs say these of what is damaged.
  for (const [errno, name] of [
    [117, 'EUCLEAN'],
    [74, 'EBADMSG'],
  ] as const) {
    const error = systemError(nameless(errno, 'read'), 'reading /srv/vol1');
    t.true(error instanceof FailoverError);
    t.regex(messageOf(error), new RegExp(`^reading /srv/vol1: ${name}: `));
  }
  t.is(errnoOf(nameless(4000, 'read')), 'E4000');
  t.is(errnoOf(Object.assign(new Error('no such file'), { code: 'ENOENT', errno: -2 })), 'ENOENT');
});
