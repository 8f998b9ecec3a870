import { mkdirSync, readFileSync } from 'node:fs';
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

for (const shell of Object.keys(shells) as Shell[]) {
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
