// The code cache of the bundle is used where it is whole and of this Node, and nothing is lost where it is not.
import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { crc32 } from 'node:zlib';
import { projectRoot } from '../lab/project-root.js';

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function node(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const { NODE_V8_COVERAGE: _, ...inherited } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env: { ...inherited, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.signal ?? error.code), stdout, stderr });
    });
  });
}

/** What of a checkout runs: bin/, and dist/ with a bundle. */
function checkout(t: ExecutionContext): { bin: string; dist: string; bundle: string; cache: string } {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-cache-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  cpSync(path.join(projectRoot(), 'bin'), path.join(directory, 'bin'), { recursive: true });
  symlinkSync(path.join(projectRoot(), 'node_modules'), path.join(directory, 'node_modules'));
  const dist = path.join(directory, 'dist');
  mkdirSync(dist);
  return {
    bin: path.join(directory, 'bin/nlm-failover'),
    dist,
    bundle: path.join(dist, 'nlm-failover.cjs'),
    cache: path.join(dist, 'nlm-failover.cache'),
  };
}

/** As esbuild.mjs makes one. */
const says = (word: string) =>
  `(function (exports, require) {const say = (what) => console.log(what);\nsay('${word}');\n})\n`;

/**
 * A bundle that says "source", with the cache of another one of its length, which says "cached": V8 looks at no more than the
 * length. What it says tells which of the two was run.
 */
async function twoInOne(t: ExecutionContext) {
  const made = checkout(t);
  writeFileSync(made.bundle, says('cached'));
  t.like(await node([path.join(projectRoot(), 'code-cache.mjs'), made.dist]), { code: 0 });
  writeFileSync(made.bundle, says('source'));
  const data = dataOf(readFileSync(made.cache));
  const write = (changed: Buffer, head = headOf(changed)) =>
    writeFileSync(made.cache, Buffer.concat([Buffer.from(head), changed]));
  const headOf = (of: Buffer) => {
    const words = `${process.version} ${process.arch} ${crc32(says('source'))} ${crc32(of)} ${of.length}`;
    return `${words}${' '.repeat(7 - (words.length % 8))}\n`;
  };
  write(data);
  return { ...made, data, write, headOf };
}

function dataOf(cache: Buffer): Buffer {
  return cache.subarray(cache.indexOf('\n') + 1);
}

function damaged(data: Buffer, at: number): Buffer {
  const copy = Buffer.from(data);
  copy[at] = (copy[at] ?? 0) ^ 0x55;
  return copy;
}

test('the build has made one that this Node takes', async (t) => {
  const { stdout } = await node([
    '-p',
    'const { compile } = require(process.argv[1]); compile(process.argv[2]).script.cachedDataRejected',
    path.join(projectRoot(), 'bin/bundle.cjs'),
    path.join(projectRoot(), 'dist'),
  ]);
  t.is(stdout, 'false\n');
});

test('it is made with what a takeover, a status and a release have compiled, of which nothing stays', async (t) => {
  const { bundle, dist } = checkout(t);
  cpSync(path.join(projectRoot(), 'dist/nlm-failover.cjs'), bundle);
  const TMPDIR = path.join(path.dirname(dist), 'tmp');
  mkdirSync(TMPDIR);
  const made = await node([path.join(projectRoot(), 'code-cache.mjs'), dist], { TMPDIR });
  t.is(made.code, 0, made.stderr);
  t.regex(
    made.stdout,
    /^takeover 192\.0\.2\.1: done .*^192\.0\.2\.1 +served here$.*^release 192\.0\.2\.1: done .*^192\.0\.2\.1 +not served here$/ms,
  );
  t.deepEqual(readdirSync(TMPDIR), []);
});

test('its data begin at a multiple of 8: elsewhere V8 would copy them', (t) => {
  const whole = readFileSync(path.join(projectRoot(), 'dist/nlm-failover.cache'));
  t.is((whole.length - dataOf(whole).length) % 8, 0);
});

test('what is run is the cache, not the source', async (t) => {
  const { bin } = await twoInOne(t);
  t.deepEqual(await node([bin]), { code: 0, stdout: 'cached\n', stderr: '' });
});

test('the source is run where there is none', async (t) => {
  const { bin, cache } = await twoInOne(t);
  rmSync(cache);
  t.deepEqual(await node([bin]), { code: 0, stdout: 'source\n', stderr: '' });
});

test('the source is run where it cannot be read', async (t) => {
  const { bin, cache } = await twoInOne(t);
  rmSync(cache);
  mkdirSync(cache);
  t.deepEqual(await node([bin]), { code: 0, stdout: 'source\n', stderr: '' });
});

test('the source is run where V8 rejects it: another V8, other flags', async (t) => {
  const { bin, data, write } = await twoInOne(t);
  t.deepEqual(await node(['--stack-size=900', bin]), { code: 0, stdout: 'source\n', stderr: '' });
  // After its magic number it has the hash of V8's version.
  write(damaged(data, 4));
  t.deepEqual(await node([bin]), { code: 0, stdout: 'source\n', stderr: '' });
});

test('the source is run where it is of another Node, another bundle, or damaged', async (t) => {
  const { bin, data, write, headOf } = await twoInOne(t);
  const head = headOf(data);
  const rows: [string, Buffer, string][] = [
    ['another Node', data, head.replace(process.version, 'v20.0.0')],
    ['another machine', data, head.replace(process.arch, 'vax')],
    ['another bundle', data, head.replace(String(crc32(says('source'))), String(crc32(says('cached'))))],
    ['cut short', data.subarray(0, data.length - 8), head],
    ['nothing but its first line', Buffer.alloc(0), head],
    ['zeros, as after a power cut', Buffer.alloc(data.length), head],
  ];
  for (let at = 8; at < data.length; at += Math.ceil(data.length / 8))
    rows.push([`damaged at ${at}`, damaged(data, at), head]);
  for (const [what, changed, first] of rows) {
    write(changed, first);
    t.deepEqual(await node([bin]), { code: 0, stdout: 'source\n', stderr: '' }, what);
  }
  write(data, '');
  t.deepEqual(await node([bin]), { code: 0, stdout: 'source\n', stderr: '' }, 'no first line');
  write(Buffer.alloc(0), '');
  t.deepEqual(await node([bin]), { code: 0, stdout: 'source\n', stderr: '' }, 'empty');
});

test('coverage is counted in the source', async (t) => {
  const { bin, dist } = await twoInOne(t);
  const ended = await node([bin], { NODE_V8_COVERAGE: path.join(dist, 'coverage') });
  t.is(ended.stdout, 'source\n');
});

test('with a damaged cache, and without one, the command is the same', async (t) => {
  const { bin, bundle, cache } = checkout(t);
  const dist = path.join(projectRoot(), 'dist');
  cpSync(path.join(dist, 'nlm-failover.cjs'), bundle);
  const whole = readFileSync(path.join(dist, 'nlm-failover.cache'));
  const args = [bin, 'status', '--config', path.join(path.dirname(bundle), 'absent.toml')];
  const without = await node(args);
  t.is(without.code, 3);
  t.regex(without.stderr, /absent\.toml: there is no such configuration file/);
  for (const at of [undefined, 200, 50_000, whole.length - 100]) {
    writeFileSync(cache, at === undefined ? whole : damaged(whole, at));
    t.deepEqual(await node(args), without, String(at));
  }
});

test('without a bundle it says what to do', async (t) => {
  const { bin } = checkout(t);
  const { code, stderr } = await node([bin]);
  t.is(code, 1);
  t.regex(stderr, /the bundle is missing in .*dist: run "npm ci" in /);
});
