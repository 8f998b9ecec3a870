import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import {
  asStatd,
  callout,
  type CalloutSite,
  makeCalloutSite,
  shells,
  type Shell,
} from './helpers/callout.js';

const asRoot = process.getuid?.() === 0 ? test : test.skip;

/** Ways in which the journal of 10.10.1.2 cannot be written, and what its mark says. */
const broken: Record<string, { readonly make: (site: CalloutSite) => void; readonly says: RegExp }> = {
  'a dangling link': {
    make: (site) => site.link('10.10.1.2', join(site.journals, 'absent')),
    says: /points to nothing/u,
  },
  // In a directory where statd's user could create it: nothing but the callout itself prevents it.
  "a dangling link into a directory of statd's own": {
    make: (site) => site.link('10.10.1.2', join(site.run, 'marks', 'created')),
    says: /points to nothing/u,
  },
  'a directory that is gone': {
    make: (site) => site.link('10.10.1.2', join(site.journals, 'absent', 'journal.B')),
    says: /points to nothing/u,
  },
  'a link to itself': {
    make: (site) => site.link('10.10.1.2', join(site.run, 'serving', '10.10.1.2')),
    says: /points to nothing/u,
  },
  'a directory': {
    make: (site) => {
      mkdirSync(join(site.journals, 'directory'));
      site.link('10.10.1.2', join(site.journals, 'directory'));
    },
    says: /regular file/u,
  },
  'a FIFO that nobody reads': {
    make: (site) => {
      const fifo = join(site.journals, 'fifo');
      site.spawn(['mkfifo', fifo]);
      site.give(fifo);
      site.link('10.10.1.2', fifo);
    },
    says: /regular file/u,
  },
  "a journal that is not statd's": {
    make: (site) => chmodSync(site.serve('10.10.1.2'), 0),
    says: /may not be read and written/u,
  },
};

for (const shell of Object.keys(shells) as Shell[]) {
  for (const [name, { make, says }] of Object.entries(broken)) {
    test(`${shell}: ${name}: marked, and the other addresses are written`, (t) => {
      const site = makeCalloutSite(t);
      for (const address of ['10.10.1.1', '10.10.1.3']) site.serve(address);
      make(site);
      const before = readdirSync(site.journals);
      t.is(site.event(shell, 'add-client', 'c', 'B').code, 1);
      for (const address of ['10.10.1.1', '10.10.1.3'])
        t.deepEqual(site.lines(address), ['@1 T add-client c B - .']);
      const mark = site.mark('10.10.1.2') ?? '';
      t.regex(mark, /^[0-9.]+ add-client c not recorded: /u);
      t.regex(mark, says);
      t.deepEqual(readdirSync(site.journals), before);
      t.deepEqual(readdirSync(join(site.run, 'marks')), ['10.10.1.2']);
      // And again: overwritten, not added to.
      t.is(site.event(shell, 'del-client', '10.10.1.2', 'd', '1').code, 1);
      t.regex(site.mark('10.10.1.2') ?? '', /^[0-9.]+ del-client d not recorded: [^\n]+\n$/u);
    });
  }

  test(`${shell}: nowhere to leave a mark: it still ends, and writes the others`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1');
    site.link('10.10.1.0', join(site.journals, 'absent'));
    rmSync(join(site.run, 'marks'), { recursive: true });
    t.is(site.event(shell, 'add-client', 'c', 'B').code, 1);
    t.is(site.event(shell, 'add-client', '../c', 'B').code, 1);
    t.deepEqual(site.lines('10.10.1.1'), ['@1 T add-client c B - .']);
    t.false(existsSync(join(site.run, 'marks')));
  });

  test(`${shell}: what is no link in serving is not written to`, (t) => {
    const site = makeCalloutSite(t);
    const file = join(site.run, 'serving', '10.10.1.1');
    writeFileSync(file, '');
    site.give(file);
    t.is(site.event(shell, 'add-client', 'c', 'B').code, 0);
    t.is(readFileSync(file, 'utf8'), '');
  });

  test(`${shell}: a synced journal beside a broken one: synced, and the failure is not forgotten`, (t) => {
    const site = makeCalloutSite(t);
    site.link('10.10.1.0', join(site.journals, 'absent'));
    site.serve('10.10.1.1', { sync: true });
    t.is(site.event(shell, 'add-client', 'c', 'B').code, 1);
    t.deepEqual(site.lines('10.10.1.1'), ['@1 T add-client c B - .']);
    rmSync(join(site.run, 'sync', '10.10.1.1'));
    symlinkSync('nowhere', join(site.run, 'sync', '10.10.1.1'));
    t.regex(site.event(shell, 'add-client', 'c', 'B').stderr, /10[.]10[.]1[.]1/u);
  });

  asRoot(
    `${shell}: a full disk: marked, the torn line does not swallow the next, nothing spills over`,
    (t) => {
      const site = makeCalloutSite(t);
      // One page, of which 6 bytes are left; then some space again. In a mount namespace that ends with its process.
      const outcome = inMounts(site, shell, {
        options: 'size=4096',
        before: 'head -c 4090 /dev/zero | tr "\\0" x >"$journal"',
        after: 'mount -o remount,size=1m "$mnt"; "$@" add-client d B; echo "exit $?"',
      });
      t.deepEqual(outcome.exits, ['exit 1', 'exit 0']);
      const torn = outcome.journal.slice(4090);
      t.regex(torn, /^@1 [0-9]+.?@1 [0-9.]+ add-client d B - [.]\n$/u);
      t.regex(site.mark('10.10.1.2') ?? '', /add-client c not recorded: the write failed/u);
      for (const address of ['10.10.1.1', '10.10.1.3']) {
        t.deepEqual(site.lines(address), ['@1 T add-client c B - .', '@1 T add-client d B - .']);
      }
    },
  );

  asRoot(`${shell}: a read-only file system: marked`, (t) => {
    const site = makeCalloutSite(t);
    const outcome = inMounts(site, shell, {
      options: 'size=1m',
      before: 'mount -o remount,ro "$mnt"',
      after: ':',
    });
    t.deepEqual(outcome.exits, ['exit 1']);
    t.is(outcome.journal, '');
    t.regex(site.mark('10.10.1.2') ?? '', /add-client c not recorded: .*read-only/u);
    for (const address of ['10.10.1.1', '10.10.1.3'])
      t.deepEqual(site.lines(address), ['@1 T add-client c B - .']);
  });
}

/** Runs the callout while the journal of 10.10.1.2 lies on a tmpfs of its own; returns what is in it then. */
function inMounts(
  site: CalloutSite,
  shell: Shell,
  { options, before, after }: { readonly options: string; readonly before: string; readonly after: string },
): { journal: string; exits: string[] } {
  for (const address of ['10.10.1.1', '10.10.1.3']) site.serve(address);
  const mnt = join(site.journals, 'mnt');
  mkdirSync(mnt);
  site.link('10.10.1.2', join(mnt, 'journal.B'));
  const script = [
    'set -e; mnt=$1 out=$2 options=$3; shift 3; journal=$mnt/journal.B',
    'mount -t tmpfs -o "mode=711,$options" tmpfs "$mnt"; : >"$journal"; chmod 600 "$journal"; chown statd "$journal"',
    before,
    'set +e; exec >"$out.exits"',
    '"$@" add-client c B; echo "exit $?"',
    after,
    'cat "$journal" >"$out.journal"',
  ].join('\n');
  const out = join(site.top, 'out');
  const command = [...asStatd, ...shells[shell], callout];
  const { code, stderr } = site.spawn([
    'unshare',
    '-m',
    '--',
    'sh',
    '-c',
    script,
    'sh',
    mnt,
    out,
    options,
    ...command,
  ]);
  if (code !== 0) throw new Error(`exit ${code}: ${stderr}`);
  return {
    journal: readFileSync(`${out}.journal`, 'latin1'),
    exits: readFileSync(`${out}.exits`, 'utf8').trim().split('\n'),
  };
}
