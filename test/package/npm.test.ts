// What npm packs, and that it starts; and that a checkout without the dev packages makes the same bundle.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { version } from '../../src/version.js';
import { projectRoot } from '../lab/project-root.js';

const root = projectRoot();

interface Manifest {
  readonly man: readonly string[];
  readonly dependencies: Readonly<Record<string, string>>;
}

interface Lock {
  readonly packages: Readonly<
    Record<string, { readonly dev?: boolean; readonly devOptional?: boolean; readonly optional?: boolean }>
  >;
}

const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as Manifest;
const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as Lock;

function temporary(t: ExecutionContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-npm-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

function output(file: string, args: readonly string[], cwd: string): string {
  const { NODE_V8_COVERAGE: _, ...env } = process.env;
  return execFileSync(file, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Below node_modules, what `npm ci --omit=dev` installs. */
function runtimePackages(): string[] {
  return Object.entries(lock.packages)
    .filter(([name, { dev, devOptional }]) => name !== '' && dev !== true && devOptional !== true)
    .map(([name]) => name);
}

test('npm packs the command, callouts and pages, nothing of the source, and that starts', (t) => {
  const directory = temporary(t);
  output('npm', ['pack', '--ignore-scripts', `--pack-destination=${directory}`], root);
  output('tar', ['xzf', `nlm-failover-${version}.tgz`], directory);
  const packed = path.join(directory, 'package');
  const files = readdirSync(packed, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(packed, path.join(entry.parentPath, entry.name)));
  const alone = ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist/nlm-failover.cjs', 'package.json'];
  t.deepEqual(files.filter((file) => !/^(?:bin|callouts|man)\//.test(file)).toSorted(), alone.toSorted());
  t.deepEqual(
    files.filter((file) => file.startsWith('man/')).toSorted(),
    readdirSync(path.join(root, 'man')).map((page) => `man/${page}`),
  );
  t.true(files.includes('callouts/ha-callout'));
  for (const name of ['ocf/address', 'ocf/locks', 'ocf/notify', 'lib/ocf.sh'])
    t.true(files.includes(`callouts/${name}`), name);
  symlinkSync(path.join(root, 'node_modules'), path.join(packed, 'node_modules'));
  const tool = path.join(packed, 'bin/nlm-failover');
  t.is(output(tool, ['--version'], directory), `${version}\n`);

  const said = (): string => spawnSync(tool, ['--version'], { encoding: 'utf8' }).stderr;
  t.true(said().startsWith(`nlm-failover: other users cannot pass ${directory} (mode 0700): rpc.statd`));
  chmodSync(directory, 0o755);
  t.is(said(), '', 'statd can run the callout');
  chmodSync(path.join(packed, 'callouts/ha-callout'), 0o744);
  t.regex(said(), /other users cannot pass \S*ha-callout \(mode 0744\)/);
});

test('npm installs every manual page', (t) => {
  t.deepEqual(
    manifest.man.toSorted(),
    readdirSync(path.join(root, 'man')).map((page) => `man/${page}`),
  );
});

test('npm ci --omit=dev installs what the program imports, no TypeScript and no esbuild', (t) => {
  const names = runtimePackages();
  for (const name of Object.keys(manifest.dependencies)) t.true(names.includes(`node_modules/${name}`), name);
  t.deepEqual(
    names.filter((name) => /typescript|esbuild|oxlint|oxfmt|\/ava$/.test(name)),
    [],
  );
});

test('without the dev packages the bundle is made with the esbuild of the lock file, and is the same', (t) => {
  const directory = temporary(t);
  const own =
    'bin src code-cache.mjs esbuild.mjs locked-esbuild.mjs package.json package-lock.json tsconfig.json';
  for (const name of own.split(' '))
    cpSync(path.join(root, name), path.join(directory, name), { recursive: true });
  for (const name of runtimePackages()) {
    const [from, to] = [path.join(root, name), path.join(directory, name)];
    mkdirSync(path.dirname(to), { recursive: true });
    // Large, and not bundled.
    if (name === 'node_modules/better-sqlite3') symlinkSync(from, to);
    else cpSync(from, to, { recursive: true });
  }
  output(process.execPath, ['esbuild.mjs'], directory);
  const bundle = readFileSync(path.join(directory, 'dist/nlm-failover.cjs'));
  t.true(bundle.equals(readFileSync(path.join(root, 'dist/nlm-failover.cjs'))));
  t.false(readdirSync(path.join(directory, 'node_modules')).includes('esbuild'));
});
