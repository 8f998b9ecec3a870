import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { FailoverError } from '../../../src/errors.js';
import { openRecord } from '../../../src/record/record.js';
import { makeSite, type Site } from '../helpers/site.js';

const mode = (path: string) => statSync(path).mode & 0o7777;

test.serial('modes do not depend on the umask', (t) => {
  for (const umask of [0, 0o022, 0o077, 0o777]) {
    const site = makeSite(t);
    const before = process.umask(umask);
    try {
      site.open().claim({ node: 'A', fenced: false, now: 1 });
    } finally {
      process.umask(before);
    }
    t.is(mode(site.directory), 0o711);
    t.is(mode(join(site.directory, 'monitors.db')), 0o600);
    t.is(mode(join(site.directory, 'monitors.db-journal')), 0o600);
  }
});

test('the state directory itself is not made: it may be an unmounted mount point', (t) => {
  const site = makeSite(t);
  const error = t.throws<FailoverError>(
    () => openRecord({ directory: join(site.state, 'absent', 'sm_10.10.1.1'), node: 'A', create: true }),
    { code: 'RECORD_UNUSABLE' },
  );
  t.regex(error.hint ?? '', /mounted/u);
});

/** Each: something that lets somebody else control the record. */
const unsafe: Record<string, (site: Site) => void> = {
  'sm_<address> is a symbolic link': ({ directory }) => {
    renameSync(directory, `${directory}.real`);
    symlinkSync(`${directory}.real`, directory);
  },
  'sm_<address> is a file': ({ directory }) => {
    rmSync(directory, { recursive: true });
    writeFileSync(directory, '');
  },
  'sm_<address> is writable by its group': ({ directory }) => chmodSync(directory, 0o771),
  'sm_<address> is writable by all': ({ directory }) => chmodSync(directory, 0o1713),
  'the state directory is writable by all': ({ state }) => chmodSync(state, 0o777),
  'the database is a symbolic link': ({ directory }) => {
    renameSync(join(directory, 'monitors.db'), join(directory, 'elsewhere'));
    symlinkSync('elsewhere', join(directory, 'monitors.db'));
  },
  'the database is a directory': ({ directory }) => {
    rmSync(join(directory, 'monitors.db'));
    mkdirSync(join(directory, 'monitors.db'));
  },
  'the database is writable by all': ({ directory }) => chmodSync(join(directory, 'monitors.db'), 0o606),
  'the rollback journal is a symbolic link': ({ directory }) => {
    rmSync(join(directory, 'monitors.db-journal'), { force: true });
    symlinkSync('/etc/passwd', join(directory, 'monitors.db-journal'));
  },
  'the rollback journal is writable by all': ({ directory }) => {
    writeFileSync(join(directory, 'monitors.db-journal'), '');
    chmodSync(join(directory, 'monitors.db-journal'), 0o606);
  },
};
for (const [name, make] of Object.entries(unsafe)) {
  test(`refused: ${name}`, (t) => {
    const site = makeSite(t);
    site.open().close();
    make(site);
    t.throws(() => site.open(), { code: 'RECORD_UNSAFE' });
    t.throws(() => openRecord({ directory: site.directory, node: 'A', create: false }), {
      code: 'RECORD_UNSAFE',
    });
  });
}

const asRoot = process.getuid?.() === 0 ? test : test.skip;
for (const part of ['.', 'monitors.db', '..']) {
  asRoot(`refused: ${part} belongs to somebody else`, (t) => {
    const site = makeSite(t);
    site.open().close();
    chownSync(join(site.directory, part), 65534, 65534);
    t.throws(() => site.open(), { code: 'RECORD_UNSAFE' });
  });
}

test("a state directory as /tmp is: writable by all, but nobody can rename what is another's", (t) => {
  const site = makeSite(t);
  chmodSync(site.state, 0o1777);
  t.notThrows(() => site.open());
});

test("names that cannot be a node's", (t) => {
  const site = makeSite(t);
  for (const node of ['', '.', '../A', 'a/b', 'a b', '-a', 'a\n', 'x'.repeat(65)]) {
    t.throws(() => openRecord({ directory: site.directory, node, create: true }), { code: 'BAD_NODE_NAME' });
  }
});

test('close leaves no file open', (t) => {
  const site = makeSite(t);
  const record = site.open();
  record.claim({ node: 'A', fenced: false, now: 1 });
  record.close();
  t.false(openFiles().some((path) => path.startsWith(site.state)));
});

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the one that readdir itself had
    }
  });
}
