// Whose the configuration file is: where the caller is root, its `restart` command runs as root.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { readConfigFile } from '../../src/cli/config-file.js';
import { FailoverError } from '../../src/errors.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';

const nobody = 65_534;
const isRoot = process.geteuid?.() === 0;
const asRoot = isRoot ? test : test.skip;

/** etc/nlm-failover.toml, which is root's, in a directory of its own. */
function site(t: ExecutionContext): { etc: string; file: string; directory: string } {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-config-file-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const etc = path.join(directory, 'etc');
  mkdirSync(etc, { mode: 0o755 });
  const file = path.join(etc, 'nlm-failover.toml');
  writeFileSync(file, 'node = "A"\n', { mode: 0o644 });
  return { etc, file, directory };
}

type Site = ReturnType<typeof site>;

const unsafe: readonly (readonly [what: string, make: (site: Site) => string | void, says: RegExp])[] = [
  ['the file is of somebody else', ({ file }) => chownSync(file, nobody, 0), /toml belongs to uid 65534/],
  ['the group may write it', ({ file }) => chmodSync(file, 0o664), /toml can be written by others/],
  ['everybody may write it', ({ file }) => chmodSync(file, 0o646), /toml can be written by others/],
  ['everybody may write it, and it is sticky', ({ file }) => chmodSync(file, 0o1646), /toml can be written/],
  [
    'its directory is of somebody else',
    ({ etc }) => chownSync(etc, nobody, 0),
    /etc, on the way to .* belongs/,
  ],
  [
    'one above it can be written',
    ({ directory }) => chmodSync(directory, 0o777),
    /on the way to .* can be written/,
  ],
  [
    'a sticky directory above it is of somebody else',
    ({ etc }) => {
      chmodSync(etc, 0o1777);
      chownSync(etc, nobody, 0);
    },
    /etc, on the way to .* belongs/,
  ],
  [
    'a link to it is of somebody else',
    ({ directory, file }) => {
      const link = path.join(directory, 'link');
      symlinkSync(file, link);
      lchownSync(link, nobody, 0);
      return link;
    },
    /link is a symbolic link of uid 65534/,
  ],
  [
    'a link of root leads into a directory of somebody else',
    ({ directory, etc, file }) => {
      const link = path.join(directory, 'link');
      symlinkSync('etc', link);
      chownSync(etc, nobody, 0);
      return path.join(link, path.basename(file));
    },
    /etc, on the way to .* belongs/,
  ],
];

for (const [what, make, says] of unsafe) {
  asRoot(`refused: ${what}`, async (t) => {
    const at = site(t);
    const file = make(at) ?? at.file;
    const error = await t.throwsAsync(() => readConfigFile(file, true), { instanceOf: FailoverError });
    t.is(error.code, 'CONFIG_UNSAFE');
    t.is(error.exitCode, 3);
    t.regex(error.message, says);
    // Where the caller is not root, or in a rehearsal, it is anybody's.
    t.is(String(Buffer.from(await readConfigFile(file, false))), 'node = "A"\n');
  });
}

asRoot('taken: by way of a sticky directory, and of links of root', async (t) => {
  const { etc, file, directory } = site(t);
  chmodSync(etc, 0o1777);
  symlinkSync('etc', path.join(directory, 'a'));
  symlinkSync(path.join(directory, 'a'), path.join(directory, 'b'));
  for (const one of [file, path.join(directory, 'b', 'nlm-failover.toml')])
    t.is(String(Buffer.from(await readConfigFile(one, true))), 'node = "A"\n');
});

test('a fifo is refused at once, and a directory', async (t) => {
  t.timeout(20_000, 'waits for the fifo');
  const { etc, directory } = site(t);
  const fifo = path.join(directory, 'fifo');
  execFileSync('mkfifo', ['-m', '644', fifo]);
  for (const file of [fifo, etc]) {
    const error = await t.throwsAsync(() => readConfigFile(file, isRoot), { instanceOf: FailoverError });
    t.is(error.code, 'CONFIG_UNREADABLE');
    t.is(error.message, `${file}: this is not a regular file`);
  }
});

asRoot(
  'the command: CONFIG_UNSAFE with exit code 3; a rehearsal has a configuration of its own user',
  async (t) => {
    const rehearsal = makeRehearsal({ address: '127.77.32.1', rpcbindPort: 1 });
    t.teardown(() => rehearsal.remove());
    const { a } = rehearsal;
    chownSync(a.config, nobody, nobody);
    t.is((await a.tool(['status'])).exitCode, 0);
    const { file } = site(t);
    chmodSync(file, 0o666);
    const { NLM_FAILOVER_REHEARSAL: _, ...env } = process.env;
    const bin = path.join(import.meta.dirname, '../../../bin/nlm-failover');
    const error = t.throws(() =>
      execFileSync(process.execPath, [bin, 'status', '--config', file], { env, stdio: 'pipe' }),
    ) as unknown as { status: number; stderr: Buffer };
    t.is(error.status, 3);
    t.regex(
      String(error.stderr),
      /can be written by others than root: .* run as root\n {2}.*chown -h root .*; chmod go-w/,
    );
  },
);
