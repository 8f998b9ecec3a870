import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { event, makeSite, wall } from '../helpers/site.js';

test('a new journal: its serving line, then the record as it is', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record, { node: 'B' });
  site.append('B', event('add-client', 'c'));
  const made = await site.serve(record, { node: 'A', epoch: 2, fsids: ['1234', '5'] });
  t.deepEqual(made, { journal: join(site.directory, 'journal.A'), synchronous: false, kept: false });
  t.is(
    site.journal('A'),
    `@1 1000.00 serving A 2 ${wall} 1b4e28ba-2fa1-11d2-883f-0016d3cca427 1234,5 .\n` +
      `@1 0.00 recorded c A 1234 B ${wall + 1000} .\n`,
  );
  t.is(statSync(made.journal).mode & 0o7777, 0o600);
  t.deepEqual(readdirSync(site.directory).toSorted(), [
    'journal.A',
    'journal.B',
    'monitors.db',
    'monitors.db-journal',
  ]);
});

test('the same command again keeps the journal, whatever the time', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  site.append('A', event('add-client', 'c'));
  const before = site.journal('A');
  const made = await site.serve(record, {
    now: wall + 5,
    uptime: '1000.01',
    makeSynchronous: async () => true,
  });
  t.true(made.kept);
  t.true(made.synchronous);
  t.is(site.journal('A'), before);
  t.deepEqual(record.clientNames(), ['c']);
});

test('the same session with other fsids: a second serving line, for what follows', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record, { fsids: ['1'] });
  site.append('A', event('add-client', 'c'));
  t.true((await site.serve(record, { fsids: ['1', '2'] })).kept);
  site.append('A', event('add-client', 'd'));
  record.fold();
  t.deepEqual(
    record.clients().map(({ client, fsid }) => [client, fsid]),
    [
      ['c', '1'],
      ['d', '1'],
      ['d', '2'],
    ],
  );
});

for (const [what, session] of Object.entries({
  'another epoch': { epoch: 2 },
  'another boot': { bootId: '-' },
})) {
  test(`${what}: a new journal, with everybody in it`, async (t) => {
    const site = makeSite(t);
    const record = site.open();
    await site.serve(record);
    site.append('A', event('add-client', 'c'), event('add-client', 'd'), event('del-client', 'd'));
    t.false((await site.serve(record, session)).kept);
    t.notRegex(site.journal('A'), /add-client/u);
    site.append('A', event('add-client', 'e'));
    record.fold();
    t.deepEqual(record.clientNames(), ['c', 'e']);
    t.deepEqual(
      site.rebuilt().map(({ client }) => client),
      ['c', 'e'],
    );
  });
}

test('a journal of foreign bytes is replaced, and what it was is reported', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  writeFileSync(join(site.directory, 'journal.A'), '\xff\xfe garbage\n');
  t.false((await site.serve(record)).kept);
  t.is(record.badLines().length, 1);
});

test('made synchronous while it is empty and nobody sees it', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  const seen: string[] = [];
  const { synchronous } = await site.serve(record, {
    makeSynchronous: async (path) => {
      seen.push(path);
      t.is(statSync(path).size, 0);
      t.deepEqual(record.fold().journals, []);
      return true;
    },
  });
  t.true(synchronous);
  t.regex(seen.join(), /\/\.journal\.A\.[0-9a-f-]{36}$/u);
});

test('a failure leaves the old journal and nothing else', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  const before = site.journal('A');
  await t.throwsAsync(
    site.serve(record, {
      epoch: 2,
      makeSynchronous: async () => {
        throw new Error('no');
      },
    }),
    { message: 'no' },
  );
  t.is(site.journal('A'), before);
  t.false(readdirSync(site.directory).some((name) => name.startsWith('.')));
});

test("another node's temporary files are left alone", async (t) => {
  const site = makeSite(t);
  const record = site.open();
  const name = '.journal.A.b.8f14e45f-ceea-467f-a7b8-000000000000';
  writeFileSync(join(site.directory, name), '');
  writeFileSync(join(site.directory, name.replace('.b.', '.')), '');
  await site.serve(record);
  t.deepEqual(
    readdirSync(site.directory).filter((one) => one.startsWith('.')),
    [name],
  );
});

for (const bad of [
  { fsids: [] },
  { fsids: ['a b'] },
  { fsids: ['1\n@1'] },
  { uptime: '' + Number.NaN },
  { bootId: '' },
]) {
  test(`a serving line that nobody could read is not begun: ${JSON.stringify(bad)}`, async (t) => {
    const site = makeSite(t);
    const record = site.open();
    await t.throwsAsync(site.serve(record, bad), { code: 'BAD_SERVING_LINE' });
    t.false(readdirSync(site.directory).includes('journal.A'));
  });
}

test('adopting: those that are new, in the journal too; names that may not be recorded are returned', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  const adoption = { node: 'A', clients: ['c', '../x', 'a b'], fsids: ['1'], now: 5, myName: 'B C' };
  // No journal yet.
  t.deepEqual(record.adopt(adoption), ['../x', 'a b']);
  t.deepEqual(record.clients(), [{ client: 'c', fsid: '1', node: 'A', since: 5, myName: undefined }]);
  await site.serve(record);
  const before = site.journal('A');
  record.adopt(adoption);
  t.is(site.journal('A'), before);
  site.append('A', '@1 torn');
  record.adopt({ ...adoption, clients: ['c', 'd'], myName: 'B' });
  t.is(site.journal('A'), `${before}@1 torn@1 0.00 recorded d B 1 A 5 .\n`);
  record.fold();
  t.deepEqual(record.clientNames(), ['c', 'd']);
});

test('adopting outlives a del-client that came before it', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record, { fsids: ['1'] });
  site.append('A', event('add-client', 'c'));
  record.fold();
  site.append('A', event('del-client', 'c'));
  record.adopt({ node: 'A', clients: ['c'], fsids: ['1'], now: 5, myName: 'A' });
  record.fold();
  t.deepEqual(record.clientNames(), ['c']);
});
