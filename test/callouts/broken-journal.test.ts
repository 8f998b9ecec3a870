import { spawn } from 'node:child_process';
import { once } from 'node:events';
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
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { type CalloutSite, makeCalloutSite, shells, type Shell } from './helpers/callout.js';

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
    t.is(site.event(shell, 'add-client', 'c', 'B').code, 1);
    t.regex(site.mark('unsynced') ?? '', /10[.]10[.]1[.]1/u);
  });

  test(`${shell}: a link that dangles only just when it is opened: nothing is created`, async (t) => {
    const site = makeCalloutSite(t);
    const journal = site.serve('10.10.1.1');
    const created = join(site.run, 'marks', 'created');
    const flip = fileURLToPath(new URL('helpers/flip.js', import.meta.url));
    const link = join(site.run, 'serving', '10.10.1.1');
    const flipping = spawn(process.execPath, [flip, link, created, journal]);
    const end = once(flipping, 'close');
    t.teardown(async () => {
      flipping.kill('SIGKILL');
      await end;
    });
    await once(flipping.stdout, 'data');
    for (let count = 0; count < 100; count += 1) site.event(shell, 'add-client', 'c', 'B');
    t.true(site.lines('10.10.1.1').length > 0);
    t.not(site.mark('10.10.1.1'), undefined);
    t.false(existsSync(created));
  });
}
