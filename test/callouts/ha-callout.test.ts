import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parseJournal } from '../../src/record/journal/journal.js';
import { allMarks } from '../helpers/all-marks.js';
import { callout, makeCalloutSite, shells, type Shell } from './helpers/callout.js';

for (const shell of Object.keys(shells) as Shell[]) {
  test(`${shell}: three arguments: a line for each address served here`, (t) => {
    const site = makeCalloutSite(t);
    for (const address of ['10.10.1.1', 'fd00::1']) site.serve(address);
    t.deepEqual(site.event(shell, 'add-client', '10.10.1.21', 'B'), { code: 0, stderr: '' });
    t.deepEqual(site.event(shell, 'del-client', 'Client.Example.com', 'B'), { code: 0, stderr: '' });
    for (const address of ['10.10.1.1', 'fd00::1']) {
      t.deepEqual(site.lines(address), [
        '@1 T add-client 10.10.1.21 B - .',
        '@1 T del-client Client.Example.com B - .',
      ]);
    }
    t.deepEqual(readdirSync(join(site.run, 'marks')), []);
  });

  test(`${shell}: four arguments: the address given, and its fsid`, (t) => {
    const site = makeCalloutSite(t);
    for (const address of ['10.10.1.1', '10.10.1.2']) site.serve(address);
    t.is(site.event(shell, 'add-client', '10.10.1.2', '10.10.1.21', '1234').code, 0);
    t.is(
      site.event(shell, 'del-client', '10.10.1.2', 'fe80::1%eth0', '1b4e28ba-2FA1-11d2-883f-0016d3cca427')
        .code,
      0,
    );
    t.is(site.event(shell, 'add-client', '10.10.1.3', '10.10.1.21', '1234').code, 0);
    t.deepEqual(site.lines('10.10.1.1'), []);
    t.deepEqual(site.lines('10.10.1.2'), [
      '@1 T add-client 10.10.1.21 - 1234 .',
      '@1 T del-client fe80::1%eth0 - 1b4e28ba-2FA1-11d2-883f-0016d3cca427 .',
    ]);
  });

  test(`${shell}: what it writes is what the record reads`, (t) => {
    const site = makeCalloutSite(t);
    const journal = site.serve('10.10.1.1');
    site.event(shell, 'add-client', '10.10.1.21', 'B');
    site.event(shell, 'del-client', '10.10.1.1', 'c', '7');
    const lines = parseJournal(readFileSync(journal)).entries.map(({ line }) => line);
    t.like(lines[0], { kind: 'add-client', client: '10.10.1.21', myName: 'B', fsid: undefined });
    t.like(lines[1], { kind: 'del-client', client: 'c', myName: undefined, fsid: '7' });
    t.true((lines[0]?.uptime ?? 0) > 0);
  });

  test(`${shell}: SM_NOTIFY from a stranger records nothing`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1');
    t.deepEqual(site.event(shell, 'sm-notify', '10.10.1.21', '10.10.1.21', '3'), { code: 0, stderr: '' });
    t.deepEqual(site.lines('10.10.1.1'), []);
  });

  test(`${shell}: check writes nothing, and tells whether an event could be written`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1');
    t.deepEqual(site.event(shell, 'check'), { code: 0, stderr: '' });
    t.deepEqual(site.event(shell, 'check', '10.10.1.1'), { code: 0, stderr: '' });
    t.like(site.event(shell, 'check', '10.10.1.2'), { code: 1 });
    symlinkSync('/nowhere', join(site.run, 'serving', '10.10.1.3'));
    t.regex(site.event(shell, 'check', '10.10.1.3').stderr, /serving\/10[.]10[.]1[.]3 cannot be written/u);
    t.deepEqual(site.lines('10.10.1.1'), []);
    t.deepEqual(readdirSync(join(site.run, 'marks')), []);
    t.false(existsSync('/nowhere'));
  });

  test(`${shell}: nobody leaves the record once the server has died that the locks are from`, (t) => {
    const site = makeCalloutSite(t);
    const addresses = ['10.10.1.1', '10.10.1.2', '10.10.1.3', '10.10.1.4'];
    for (const address of addresses) site.serve(address);
    mkdirSync(join(site.run, 'server'));
    const started =
      readFileSync('/proc/self/stat', 'utf8')
        .replace(/^.*\) /su, '')
        .split(' ')[19] ?? '';
    const gone = spawnSync('true').pid;
    // It lives; it has died; another process has its pid now.
    for (const [address, identity] of [
      ['10.10.1.1', `${process.pid} ${started}`],
      ['10.10.1.2', `${gone} ${started}`],
      ['10.10.1.3', `${process.pid} ${Number(started) - 1}`],
    ] as const)
      writeFileSync(join(site.run, 'server', address), `${identity}\n`);
    for (const event of ['add-client', 'del-client'])
      t.deepEqual(site.event(shell, event, '10.10.1.21', 'B'), { code: 0, stderr: '' });
    const [added, left] = ['add-client', 'del-client'].map((event) => `@1 T ${event} 10.10.1.21 B - .`);
    t.deepEqual(
      addresses.map((address) => site.lines(address)),
      [[added, left], [added], [added], [added, left]],
    );
  });

  test(`${shell}: nothing served here`, (t) => {
    const site = makeCalloutSite(t);
    t.deepEqual(site.event(shell, 'add-client', 'c', 'B'), { code: 0, stderr: '' });
    t.deepEqual(readdirSync(site.journals), []);
    t.deepEqual(readdirSync(join(site.run, 'serving')), []);
    t.deepEqual(readdirSync(join(site.run, 'marks')), []);
  });

  for (const args of [
    [],
    ['add-client'],
    ['add-client', 'c'],
    ['add-client', 'a', 'b', 'c', 'd'],
    ['ADD-CLIENT', 'c', 'B'],
    ['sm-notify', 'c', 'B'],
    ['*', 'c', 'B'],
    ['', 'c', 'B'],
    ['--help'],
  ]) {
    test(`${shell}: usage: ${JSON.stringify(args)}`, (t) => {
      const site = makeCalloutSite(t);
      site.serve('10.10.1.1');
      const { code, stderr } = site.event(shell, ...args);
      t.is(code, 2);
      t.regex(stderr, /^usage: ha-callout/u);
      t.deepEqual(site.lines('10.10.1.1'), []);
    });
  }

  test(`${shell}: a journal that is not synchronous is synced by name, whatever else is served`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1');
    site.serve('10.10.1.2', { sync: true });
    site.serve('10.10.1.3', { sync: true });
    t.deepEqual(site.event(shell, 'add-client', 'c', 'B'), { code: 0, stderr: '' });
    for (const address of ['10.10.1.1', '10.10.1.2', '10.10.1.3']) {
      t.deepEqual(site.lines(address), ['@1 T add-client c B - .']);
    }
    t.is(site.mark('unsynced'), '');
    t.deepEqual(allMarks(site.run), []);
    // That it does sync is seen from its complaint, where a link to be synced leads nowhere.
    site.serve('10.10.1.4');
    symlinkSync('nowhere', join(site.run, 'sync', '10.10.1.4'));
    t.deepEqual(site.event(shell, 'add-client', 'd', 'B'), { code: 1, stderr: '' });
    t.regex(site.mark('unsynced') ?? '', /10[.]10[.]1[.]4/u);
    t.notRegex(site.mark('unsynced') ?? '', /10[.]10[.]1[.][123]/u);
    t.is(site.lines('10.10.1.4').length, 1);
  });
}

test('it can be executed, and neither starts nor needs anything but a shell', (t) => {
  t.true(existsSync(callout));
  const text = readFileSync(callout, 'utf8');
  t.regex(text, /^#!\/bin\/sh\n/u);
  // One read(2) of dash takes 8 KiB of script.
  t.true(text.length < 8192);
  t.notRegex(text.replaceAll(/^\s*#.*$/gmu, ''), /`|\$\((?!\()|\beval\b/u);
});
