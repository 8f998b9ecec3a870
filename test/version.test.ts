import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { version } from '../src/version.js';

test('the version is that of package.json', (t) => {
  const manifest = JSON.parse(readFileSync(path.resolve('package.json'), 'utf8')) as { version: string };
  t.is(version, manifest.version);
});
