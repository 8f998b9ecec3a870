// What one use of a record asks of the file system it lies on: on a cluster file system each question goes to every server.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openRecord } from '../../src/record/record.js';

function recordOf(t: ExecutionContext) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'questions-'));
  const record = openRecord({ directory: path.join(directory, 'sm_10.0.0.1'), node: 'A', create: true });
  t.teardown(() => {
    record.close();
    fs.rmSync(directory, { recursive: true });
  });
  return record;
}

/** What `use` calls of node:fs, as their names and the last part of each path. */
function called(use: () => unknown): string[] {
  const calls: string[] = [];
  const own = {
    openSync: fs.openSync,
    lstatSync: fs.lstatSync,
    statSync: fs.statSync,
    fstatSync: fs.fstatSync,
  };
  for (const [name, call] of Object.entries(own))
    Object.assign(fs, {
      [name]: (...words: unknown[]) => {
        calls.push(`${name} ${typeof words[0] === 'string' ? path.basename(words[0]) : 'descriptor'}`);
        return Reflect.apply(call, fs, words) as unknown;
      },
    });
  syncBuiltinESMExports();
  try {
    use();
  } finally {
    Object.assign(fs, own);
    syncBuiltinESMExports();
  }
  return calls;
}

test.serial(
  'one read: where the record is, before and after; the journal, which is empty, is not opened',
  (t) => {
    const record = recordOf(t);
    record.ownership();
    const place = ['statSync sm_10.0.0.1', 'lstatSync monitors.db'];
    t.deepEqual(
      called(() => record.ownership()),
      [...place, 'openSync moved', 'lstatSync .moving', 'lstatSync monitors.db-journal', ...place],
    );
  },
);

test.serial('a transaction asks no more than that, however much is done in it', (t) => {
  const record = recordOf(t);
  const once = called(() => record.exclusively('looking', () => record.ownership()));
  const often = called(() =>
    record.exclusively('looking', () => {
      for (let times = 0; times < 10; times += 1) record.ownership();
    }),
  );
  t.deepEqual(often, once);
});
