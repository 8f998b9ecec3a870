// An event that was written, but may not outlive a power cut: statd acknowledges it all the same, so it is marked.
import { chmodSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { unsynced } from '../../src/rundir/marks.js';
import { allMarks } from '../helpers/all-marks.js';
import {
  asStatd,
  callout,
  type CalloutSite,
  makeCalloutSite,
  shells,
  type Shell,
} from './helpers/callout.js';

const asRoot = process.getuid?.() === 0 ? test : test.skip;

/** Serves 10.10.1.1, whose journal is to be synced, through a link to a device that fdatasync(2) refuses (EINVAL). */
function serveUnsyncable(site: CalloutSite): string {
  site.serve('10.10.1.1');
  const link = join(site.run, 'sync', '10.10.1.1');
  symlinkSync('/dev/null', link);
  return link;
}

for (const shell of Object.keys(shells) as Shell[]) {
  test(`${shell}: sync fails: what it says is the mark, which outlives later successes and does not grow`, (t) => {
    const site = makeCalloutSite(t);
    const link = serveUnsyncable(site);
    t.is(site.event(shell, 'add-client', 'c', 'B').code, 1);
    t.deepEqual(site.lines('10.10.1.1'), ['@1 T add-client c B - .']);
    t.is(allMarks(site.run).length, 1);
    const [mark] = allMarks(site.run);
    t.is(mark?.address, unsynced);
    t.regex(
      mark?.text ?? '',
      /^[0-9-]+T[0-9:.]+Z not durable: .*sync.*10[.]10[.]1[.]1.*: Invalid argument$/u,
    );

    const { size } = statSync(join(site.run, 'marks', unsynced));
    for (let count = 0; count < 3; count += 1) site.event(shell, 'del-client', 'c', 'B');
    t.is(statSync(join(site.run, 'marks', unsynced)).size, size);

    const before = allMarks(site.run);
    rmSync(link);
    symlinkSync(join(site.journals, 'journal.10.10.1.1'), link);
    t.is(site.event(shell, 'add-client', 'd', 'B').code, 0);
    t.deepEqual(allMarks(site.run), before);
  });

  test(`${shell}: what remains of a longer complaint below a shorter one is not shown`, (t) => {
    const site = makeCalloutSite(t);
    serveUnsyncable(site);
    const path = join(site.run, 'marks', unsynced);
    writeFileSync(path, `${'x'.repeat(300)}\n`);
    chmodSync(path, 0o666);
    site.event(shell, 'add-client', 'c', 'B');
    t.is(readFileSync(path, 'latin1').length, 301);
    t.regex(allMarks(site.run)[0]?.text ?? '', /: Invalid argument$/u);
  });

  test(`${shell}: nowhere to leave a mark: it syncs none the less`, (t) => {
    const site = makeCalloutSite(t);
    serveUnsyncable(site);
    rmSync(join(site.run, 'marks'), { recursive: true });
    const { code, stderr } = site.event(shell, 'add-client', 'c', 'B');
    t.is(code, 1);
    t.regex(stderr, /10[.]10[.]1[.]1.*: Invalid argument/u);
  });

  asRoot(`${shell}: sync cannot be started: marked, whether or not another address was written`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1', { sync: true });
    t.is(withoutSync(site, shell), 126);
    t.regex(
      allMarks(site.run)[0]?.text ?? '',
      /not durable: .*sync.*: (?:Permission denied|.*not executable.*)$/iu,
    );
    t.deepEqual(site.lines('10.10.1.1'), ['@1 T add-client c B - .']);

    rmSync(join(site.run, 'marks', unsynced));
    site.link('10.10.1.0', join(site.journals, 'absent'));
    t.is(withoutSync(site, shell), 1);
    t.deepEqual(
      allMarks(site.run).map(({ address }) => address),
      ['10.10.1.0', unsynced],
    );
  });
}

/** Its exit code where sync(1) may not be executed: in a mount namespace that ends with its process. */
function withoutSync(site: CalloutSite, shell: Shell): number | null {
  const empty = join(site.top, 'empty');
  writeFileSync(empty, '', { mode: 0o644 });
  const script = 'mount --bind "$1" "$(readlink -f "$(command -v sync)")"; shift; exec "$@"';
  const command = [...asStatd, ...shells[shell], callout, 'add-client', 'c', 'B'];
  return site.spawn(['unshare', '-m', '--', 'sh', '-c', script, 'sh', empty, ...command]).code;
}
