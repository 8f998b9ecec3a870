import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { isClientName } from '../../src/record/client-name.js';
import { parseJournal } from '../../src/record/journal.js';
import { readMarks } from '../../src/record/marks.js';
import { type CalloutSite, makeCalloutSite, shells, type Shell } from './helpers/callout.js';

const refusedNames = [
  '',
  '.',
  '..',
  '../../etc/passwd',
  '/etc/passwd',
  'a/b',
  'a\\b',
  '-',
  '-rf',
  '--help',
  '_x',
  '%s',
  ' ',
  'a b',
  'a\tb',
  'a\nb',
  'a .\n@1 0 add-client evil B -',
  'a\r',
  '\x01',
  '\x1b[2J',
  '\x7f',
  "'",
  '"',
  "a'; DROP TABLE clients; --",
  '$(id >pwned)',
  '`id >pwned`',
  '${IFS}',
  '$HOME',
  'a;id',
  'a|id',
  'a&id',
  'a>pwned',
  '*',
  '?',
  '[a]',
  '~',
  '~root',
  '!x',
  '#x',
  '{a,b}',
  '(a)',
  'a@b',
  'a,b',
  'a=b',
  'a+b',
  '%n%s%p'.repeat(3),
  '\\077\\n',
  '\xff\xfe',
  '\xc3\xa9',
  '\xc0\x80',
  'a'.repeat(256),
  'a'.repeat(1024),
  'a'.repeat(100_000),
  `${'a'.repeat(200)}\n${'\x1b'.repeat(100)}`,
];

const acceptedNames = [
  'a',
  '0',
  '::1',
  '::ffff:10.10.1.21',
  'fe80::1%eth0',
  '010.010.001.021',
  'a%s%n',
  'a-b_c.example.com.',
  'UPPER',
  'a..',
  'a'.repeat(255),
];

/** Nothing of the name had an effect but in the one mark: as long as it may be, and safe to show. */
function nothingHappened(site: CalloutSite): boolean {
  const [mark, ...others] = readMarks(site.run);
  return (
    mark?.address === 'refused' &&
    others.length === 0 &&
    /^[ -~]+$/u.test(mark.text) &&
    statSync(join(site.run, 'marks', 'refused')).size < 300 &&
    readdirSync(site.journals).join() === 'journal.10.10.1.1' &&
    readdirSync(join(site.run, 'serving')).join() === '10.10.1.1' &&
    readdirSync(join(site.run, 'marks')).join() === 'refused' &&
    !existsSync('pwned')
  );
}

for (const shell of Object.keys(shells) as Shell[]) {
  test(`${shell}: hostile names of clients are refused, visibly`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1');
    for (const name of refusedNames) {
      for (const args of [
        ['add-client', name, 'B'],
        ['del-client', name, 'B'],
        ['add-client', '10.10.1.1', name, '1'],
        // Otherwise it would be no name, but a path below serving.
        ['add-client', name, 'c', '1'],
      ]) {
        t.is(site.call(shell, ...args).code, 123, JSON.stringify(args).slice(0, 99));
      }
      t.deepEqual(site.lines('10.10.1.1'), []);
      t.true(nothingHappened(site), JSON.stringify(name).slice(0, 99));
    }
  });

  test(`${shell}: hostile fsids are refused, visibly`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1');
    for (const fsid of [...refusedNames, '-', '-1', '1.5', 'x', '0x1', 'g', '1'.repeat(37)]) {
      t.is(site.call(shell, 'add-client', '10.10.1.1', 'c', fsid).code, 123);
      t.deepEqual(site.lines('10.10.1.1'), []);
      t.true(nothingHappened(site));
    }
  });

  test(`${shell}: a hostile my_name does not cost the client its locks`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1');
    for (const name of refusedNames) t.is(site.call(shell, 'add-client', 'c', name).code, 0);
    t.deepEqual(new Set(site.lines('10.10.1.1')), new Set(['@1 T add-client c - - .']));
    t.deepEqual(readMarks(site.run), []);
  });

  test(`${shell}: odd names that are none the less names`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1');
    for (const name of acceptedNames) t.is(site.call(shell, 'add-client', name, name).code, 0);
    t.deepEqual(
      site.lines('10.10.1.1'),
      acceptedNames.map((name) => `@1 T add-client ${name} ${name} - .`),
    );
  });

  test(`${shell}: shell and record have the same rules, for any bytes`, (t) => {
    t.timeout(120_000);
    const site = makeCalloutSite(t);
    const journal = site.serve('10.10.1.1');
    const byte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCodePoint(code));
    const near = fc.constantFrom(...'abz019.-_:%/'.split(''));
    const name = fc.oneof(
      fc.array(byte, { maxLength: 20 }),
      fc.array(near, { maxLength: 12 }),
      fc.array(near, { minLength: 250, maxLength: 260 }),
      fc.tuple(near, near, byte),
    );
    fc.assert(
      fc.property(name, (characters) => {
        const client = characters.join('');
        const before = readFileSync(journal).length;
        const { code } = site.call(shell, 'add-client', client, client);
        t.is(code, isClientName(client) ? 0 : 123);
        const { entries } = parseJournal(readFileSync(journal).subarray(before));
        t.deepEqual(
          entries.map(({ line }) => (line?.kind === 'add-client' ? line.client : undefined)),
          isClientName(client) ? [client] : [],
        );
      }),
      { numRuns: 150 },
    );
  });
}
