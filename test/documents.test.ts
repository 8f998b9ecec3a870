// That the documents name what there is, and stay as short as they are meant to be.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { parseConfig } from '../src/config/parse-config.js';
import { drivers } from '../src/lockmanager/drivers.js';

const documents = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'test/README.md', 'CHANGELOG.md'] as const;

function read(name: string): string {
  return readFileSync(name, 'utf8');
}

test('the README has at most 9 kB, and the two commands on its first screen', (t) => {
  const text = read('README.md');
  t.true(Buffer.byteLength(text) <= 9000, `${Buffer.byteLength(text)} bytes`);
  const screen = text.split('\n').slice(0, 24).join('\n');
  t.regex(screen, /^npm run demo/m);
  t.regex(screen, /^npm test/m);
});

test('the configuration in the README is accepted as it stands', (t) => {
  const [, toml = ''] = /```toml\n([^]*?)```/.exec(read('README.md')) ?? [];
  const { floatingIps } = parseConfig(toml, { file: 'README.md', hostname: 'a', drivers });
  t.deepEqual(
    floatingIps.map(({ address }) => address),
    ['10.10.1.1'],
  );
});

for (const name of documents) {
  test(`${name}: every file and script that it names is there`, (t) => {
    const text = read(name);
    const links = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map(([, to = '']) =>
      path.join(path.dirname(name), to),
    );
    const files = [...text.matchAll(/`((?:src|test|callouts|man)\/[\w./-]*)`/g)].map(([, file = '']) => file);
    for (const file of [...links, ...files]) t.true(existsSync(file), file);
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    for (const [, script = ''] of text.matchAll(/npm run ([\w:]+)/g))
      t.true(Object.hasOwn(scripts, script), script);
    for (const [, script = ''] of text.matchAll(/build\/(test\/[\w./-]+)\.js/g))
      t.true(existsSync(`${script}.ts`), script);
  });
}

test('CONTRIBUTING.md has every room', (t) => {
  const text = read('CONTRIBUTING.md');
  for (const { name } of readdirSync('src', { withFileTypes: true }).filter((entry) => entry.isDirectory()))
    t.true(text.includes(`| \`${name}\` `), name);
});
