import { linkSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
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
