import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { pathsOfInodes } from '../../../src/failover/reclaim/lock-path.js';

function volume(t: ExecutionContext): string {
  const root = mkdtempSync(path.join(tmpdir(), 'nlm-failover-path-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

function file(root: string, name: string): number {
  mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
  writeFileSync(path.join(root, name), '');
  return statSync(path.join(root, name)).ino;
}

test('finds files by their inodes, whatever their names are', async (t) => {
  const root = volume(t);
  const names = ['a', 'deep/er/b', 'line\nbreak', '-x'];
  const inodes = names.map((name) => file(root, name));
  const { paths, complete } = await pathsOfInodes(root, inodes);
  t.true(complete);
  t.deepEqual(
    inodes.map((inode) => paths.get(inode)),
    names.map((name) => path.join(root, name)),
  );
});

test('one of the names of a file with several; no way out of the volume; what is not there is not found', async (t) => {
  const root = volume(t);
  const outside = volume(t);
  const foreign = file(outside, 'foreign');
  const inode = file(root, 'one');
  linkSync(path.join(root, 'one'), path.join(root, 'two'));
  symlinkSync(outside, path.join(root, 'link'));
  symlinkSync('.', path.join(root, 'loop'));
  const { paths, complete } = await pathsOfInodes(root, [inode, foreign]);
  t.true(complete);
  t.deepEqual([...paths.keys()], [inode]);
  t.regex(paths.get(inode) ?? '', /\/(?:one|two)$/);
  t.deepEqual(await pathsOfInodes(path.join(root, 'nowhere'), [inode]), { paths: new Map(), complete: true });
});

test('when the time is over it says so', async (t) => {
  const root = volume(t);
  const inode = file(root, 'a');
  t.deepEqual(await pathsOfInodes(root, [inode], 0), { paths: new Map(), complete: false });
});

test('a directory that becomes a link while it is searched is not followed', async (t) => {
  const [root, outside] = [volume(t), volume(t)];
  const foreign = file(outside, 'foreign');
  const inside = file(root, 'directory/file');
  const searching = pathsOfInodes(root, [foreign, inside]);
  // The root is listed now, and what is in it comes next.
  await nextTurn();
  renameSync(path.join(root, 'directory'), path.join(outside, 'directory'));
  symlinkSync(outside, path.join(root, 'directory'));
  t.deepEqual(await searching, { paths: new Map(), complete: true });
});

test('a root that is named by a link', async (t) => {
  const root = volume(t);
  const inode = file(root, 'a/b');
  const link = `${root}.link`;
  symlinkSync(root, link);
  t.teardown(() => rmSync(link));
  t.deepEqual((await pathsOfInodes(link, [inode])).paths, new Map([[inode, path.join(link, 'a/b')]]));
});
