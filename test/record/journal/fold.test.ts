import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { event, makeSite, uptime, wall } from '../helpers/site.js';

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

test('lines across the chunks in which a long journal is read', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  const lines = Array.from({ length: 40_000 }, (_, index) => event('add-client', `c${index}`));
  site.append('A', ...lines);
  t.deepEqual(record.fold(), { journals: [{ node: 'A', events: 40_000, bad: 0 }] });
  t.is(record.clientNames().length, 40_000);
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
  site.rebuild();
  const rebuilt = site.open();
  rebuilt.fold();
  t.deepEqual(rebuilt.clients(), before);
  t.deepEqual(rebuilt.clientNames(), ['c', 'e', 'f']);
});
