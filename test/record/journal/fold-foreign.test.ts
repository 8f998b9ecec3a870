import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { event, makeSite } from '../helpers/site.js';

test('bad lines are kept aside, escaped, with their place, and do not stop the others', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  const before = site.journal('A').length;
  site.append(
    'A',
    '\x1b[2Jrm \xff\\\n',
    event('add-client', 'c'),
    '@1 1001.00 add-cl',
    event('add-client', 'd'),
  );
  t.deepEqual(record.fold(), { journals: [{ node: 'A', events: 2, bad: 2 }] });
  t.deepEqual(record.clientNames(), ['c', 'd']);
  t.deepEqual(
    record.badLines().map(({ node, text }) => [node, text]),
    [
      ['A', '\\x1b[2Jrm \\xff\\x5c'],
      ['A', '@1 1001.00 add-cl'],
    ],
  );
  t.is(record.badLines()[0]?.offset, before);
});

test('no more than 1000 bad lines are kept, the newest', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  site.append('A', Array.from({ length: 1500 }, (_, index) => `bad ${index}\n`).join(''));
  t.is(record.fold().journals[0]?.bad, 1500);
  t.is(record.badLines().length, 1000);
  t.is(record.badLines().at(-1)?.text, 'bad 1499');
});

test("an event before any serving line, and another node's serving line, are bad", (t) => {
  const site = makeSite(t);
  const record = site.open();
  site.append('A', event('add-client', 'c'), '@1 1.00 serving B 1 2 - 1 .\n', event('add-client', 'd'));
  t.deepEqual(record.fold(), { journals: [{ node: 'A', events: 0, bad: 3 }] });
  t.deepEqual(record.clients(), []);
});

test('a line longer than any of ours is passed over, and what follows it is used', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  // The event begins right where a chunk of 1 MiB ends.
  const foreign = (1 << 20) - 7;
  site.append(
    'A',
    'x'.repeat(foreign),
    event('add-client', 'c'),
    '\0'.repeat(3 << 20),
    event('add-client', 'd'),
  );
  record.fold();
  t.deepEqual(record.clientNames(), ['c', 'd']);
});

test('a journal cut short by somebody is reported, and not read again', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  site.append('A', event('add-client', 'c'), event('del-client', 'c'));
  const size = site.journal('A').length;
  site.append('A', event('add-client', 'c'));
  record.fold();
  truncateSync(join(site.directory, 'journal.A'), size);
  t.is(record.fold().journals[0]?.bad, 1);
  t.deepEqual(record.clientNames(), ['c']);
  site.append('A', event('add-client', 'd'));
  record.fold();
  t.deepEqual(record.clientNames(), ['c', 'd']);
});

test('a journal cut short that has grown again is read again; nothing new is lost, nobody who came back forgotten', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  site.append('A', event('add-client', 'c'), event('add-client', 'back'), event('del-client', 'back'));
  const size = site.journal('A').length;
  site.append('A', event('add-client', 'back'));
  record.fold();
  // Of the last line 10 bytes are left; what follows is longer than what was cut off.
  truncateSync(join(site.directory, 'journal.A'), size + 10);
  site.append('A', event('add-client', 'new'), event('add-client', 'newer'), event('del-client', 'newer'));
  record.fold();
  t.deepEqual(record.clientNames(), ['back', 'c', 'new']);
  t.regex(record.badLines()[0]?.text ?? '', /^cut by somebody else, and grown again/u);
  t.deepEqual(record.fold(), { journals: [] });
  site.append('A', event('del-client', 'new'));
  record.fold();
  t.deepEqual(record.clientNames(), ['back', 'c']);
});

test('what is not a regular file is refused: neither followed nor waited for', (t) => {
  for (const make of [
    (path: string) => symlinkSync('/etc/passwd', path),
    (path: string) => mkdirSync(path),
    (path: string) => execFileSync('mkfifo', [path]),
  ]) {
    const site = makeSite(t);
    const record = site.open();
    make(join(site.directory, 'journal.B'));
    t.throws(() => record.fold(), { code: 'RECORD_UNSAFE' });
  }
});

test("files that are no node's journal are left alone", async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  writeFileSync(join(site.directory, 'journal.A~'), 'x\n');
  writeFileSync(join(site.directory, '.journal.A.x'), 'x\n');
  record.fold();
  t.deepEqual(record.badLines(), []);
  t.is(readFileSync(join(site.directory, 'journal.A~'), 'utf8'), 'x\n');
});
