import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { event, makeSite, uptime, wall } from './helpers/site.js';

const served = { node: 'A', fsids: ['1', '2'] };

test('a three-argument event stands for each fsid of the serving line, with its time', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record, served);
  site.append('A', event('add-client', 'c', 1.5));
  t.deepEqual(record.fold(), { journals: [{ node: 'A', events: 1, bad: 0 }] });
  t.deepEqual(record.clients(), [
    { client: 'c', fsid: '1', node: 'A', since: wall + 1500, myName: 'A' },
    { client: 'c', fsid: '2', node: 'A', since: wall + 1500, myName: 'A' },
  ]);
  t.deepEqual(record.clientNames(), ['c']);
  t.deepEqual(record.fold(), { journals: [] });
});

test('a repeated add-client keeps the time of the first; a duplicated line changes nothing', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record, { fsids: ['1'] });
  site.append('A', event('add-client', 'c', 1), event('add-client', 'c', 1), event('add-client', 'c', 9));
  record.fold();
  t.deepEqual(
    record.clients().map(({ since }) => since),
    [wall + 1000],
  );
});

test('the four-argument form is about its own fsid only', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record, served);
  site.append(
    'A',
    event('add-client', 'c', 1, '2'),
    event('add-client', 'd', 1),
    event('del-client', 'd', 1, '1'),
  );
  record.fold();
  t.deepEqual(
    record.clients().map(({ client, fsid }) => [client, fsid]),
    [
      ['c', '2'],
      ['d', '2'],
    ],
  );
});

test('a late del-client deletes only what the same node recorded', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record, { node: 'A' });
  site.append('A', event('add-client', 'c'));
  await site.serve(record, { node: 'B', epoch: 2 });
  site.append('B', event('add-client', 'c'));
  site.append('A', event('del-client', 'c'));
  record.fold();
  t.deepEqual(
    record.clients().map(({ client, node }) => [client, node]),
    [['c', 'B']],
  );
});

test('a torn line counts when it is whole, and not before', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  const line = '@1 1001.00 add-client c A - .\n';
  for (const byte of line.slice(0, -1)) {
    site.append('A', byte);
    record.fold();
    t.deepEqual(record.clients(), []);
  }
  site.append('A', '\n');
  t.deepEqual(record.fold(), { journals: [{ node: 'A', events: 1, bad: 0 }] });
  t.deepEqual(record.clientNames(), ['c']);
  t.deepEqual(record.badLines(), []);
});

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

test('lines across the chunks in which a long journal is read', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  const lines = Array.from({ length: 40_000 }, (_, index) => event('add-client', `c${index}`));
  site.append('A', ...lines);
  t.deepEqual(record.fold(), { journals: [{ node: 'A', events: 40_000, bad: 0 }] });
  t.is(record.clientNames().length, 40_000);
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

test('a new file is read from its start', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  site.append('A', event('add-client', 'c'));
  record.fold();
  // As another host would have made it, longer and shorter than the old one.
  for (const [epoch, names] of [
    [2, ['d', 'e', 'f']],
    [3, ['g']],
  ] as const) {
    writeFileSync(join(site.directory, 'journal.A'), `@1 5.00 serving A ${epoch} ${wall} - 1234 .\n`);
    site.append('A', ...names.map((name) => event('add-client', name)));
    record.fold();
  }
  t.deepEqual(record.clientNames(), ['c', 'd', 'e', 'f', 'g']);
});

test("an event from before the serving line's uptime is not dated before it", async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  site.append('A', event('add-client', 'c', -uptime));
  record.fold();
  t.is(record.clients()[0]?.since, wall);
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

test('the journals alone suffice to rebuild the record', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record, { node: 'A', fsids: ['1', '2'] });
  site.append('A', event('add-client', 'c'), event('add-client', 'd'), event('del-client', 'd'));
  await site.serve(record, { node: 'B', epoch: 2, now: wall + 5 });
  site.append('B', event('add-client', 'e'));
  record.adopt({ node: 'B', clients: ['f'], fsids: ['1'], now: wall + 9, myName: 'B' });
  record.fold();
  // Back to A, whose journal of epoch 1 is replaced.
  await site.serve(record, { node: 'A', epoch: 3, now: wall + 9 });
  const before = record.clients();
  record.close();
  writeFileSync(join(site.directory, 'monitors.db'), '');
  const rebuilt = site.open();
  rebuilt.fold();
  t.deepEqual(rebuilt.clients(), before);
  t.deepEqual(rebuilt.clientNames(), ['c', 'e', 'f']);
});
