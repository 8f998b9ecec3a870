import test from 'ava';
import { isAtOrBelow, nearestAbove } from '../src/paths.js';

for (const [path, top, expected] of [
  ['/', '/', true],
  ['/a', '/', true],
  ['/a/b', '/', true],
  ['/', '/a', false],
  ['/a', '/a', true],
  ['/a/', '/a', true],
  ['/a', '/a/', true],
  ['/a/b', '/a', true],
  ['/a/b', '/a//', true],
  ['/ab', '/a', false],
  ['/ab', '/a/', false],
  ['/a', '/ab', false],
  ['/a/b', '/a/b/c', false],
  // A link of /proc/PID/fd that is no path, or could not be read.
  ['socket:[12345]', '/a', false],
  ['', '/a', false],
  ['', '/', false],
  ['a', '/', false],
] as const) {
  test(`"${path}" is ${expected ? '' : 'not '}at or below "${top}"`, (t) => {
    t.is(isAtOrBelow(path, top), expected);
  });
}

test('the nearest of several directories above a path', (t) => {
  const tops = ['/', '/srv', '/srv/vol/', '/srv/vol/deep', '/srv/volume'];
  t.is(nearestAbove('/srv/vol/state', tops), '/srv/vol/');
  t.is(nearestAbove('/srv/vol', tops), '/srv/vol/');
  t.is(nearestAbove('/srv/other', tops), '/srv');
  t.is(nearestAbove('/var', tops), '/');
  t.is(nearestAbove('/var', ['/srv']), undefined);
});
