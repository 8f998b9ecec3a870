// What a million records, lines or locks must not do: bring a command down. A million itself is what test/bench/growth.ts is for.
import { appendFileSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { auditJson } from '../../src/cli/text/audit-text.js';
import { table } from '../../src/cli/text/table.js';
import { judge } from '../../src/failover/reclaim/reclaim.js';
import { formatLine } from '../../src/record/journal/journal.js';
import { event, makeSite, servingSession, wall } from '../record/helpers/site.js';

const many = 200_000;

test(`a table of ${many} rows`, (t) => {
  const rows = Array.from({ length: many }, (_, index) => [String(index)]);
  const lines = table(['N'], rows).split('\n');
  t.is(lines.length, many + 2);
  t.is(lines.at(-2), String(many - 1));
});

test(`a journal of ${many} serving lines, as statd's user may write them, can be made a record of`, async (t) => {
  const site = makeSite(t);
  await site.serve(site.open());
  const { now, bootId } = servingSession(site.directory);
  const line = formatLine({
    kind: 'serving',
    uptime: 2,
    node: 'A',
    epoch: 1,
    wall: now,
    bootId,
    fsids: ['1234'],
  });
  site.append('A', line.repeat(many), event('add-client', 'c'));
  t.deepEqual(
    site.rebuilt().map(({ client }) => client),
    ['c'],
  );
});

test('the record is written to a new journal, and read from it for a rebuild, whole: more than one piece of it', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record);
  const names = Array.from({ length: 60_000 }, (_, index) => `client${index}.example.com`);
  appendFileSync(
    path.join(site.directory, 'journal.A'),
    names.map((name) => formatLine(event('add-client', name))).join(''),
  );
  record.fold();
  await site.serve(record, { epoch: 2 });
  t.is(record.clientCount(), names.length);
  t.is(record.journalProgress('A')?.readTo, statSync(path.join(site.directory, 'journal.A')).size);
  t.deepEqual(record.fold(), { journals: [] });
  t.is(site.rebuilt().length, names.length);
});

test('the suspects of an audit stand once, however many locks are lost: in the record, and in what is printed', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  const epoch = record.claim({ node: 'A', fenced: false, now: wall });
  record.beginGrace({ now: wall });
  const count = 2000;
  const clients = Array.from({ length: count }, (_, index) => ({
    client: `client${index}.example.com`,
    notified: false,
    back: false,
    answers: false,
  }));
  const missing = Array.from({ length: count }, (_, inode) => ({
    fsid: '1',
    inode,
    mode: 'WRITE' as const,
    start: '0',
    end: 'EOF',
    copy: 0,
  }));
  const findings = judge({ planned: true, graceEntered: true, seesClients: true, clients, missing });
  t.true(record.closeAudit({ epoch, now: wall, findings, lost: findings.length }));
  t.true(statSync(path.join(site.directory, 'monitors.db')).size < 1 << 20);
  const read = record.findings();
  t.deepEqual(
    read.map(({ lock, clients: named }) => [lock?.inode, named.length]),
    missing.map(({ inode }) => [inode, count]),
  );
  t.is(read[0]?.clients, read.at(-1)?.clients);
  const printed = auditJson({
    state: 'compared',
    clients: { listed: count, notified: 0, back: 0 },
    locks: null,
    graceLeft: 0,
    comparedAt: wall,
    findings: read,
  });
  t.true(JSON.stringify(printed).length < 1 << 20);
  t.is(printed.findings[0]?.more, count - 10);
  t.deepEqual(
    printed.suspects?.map(({ clients: named }) => named.length),
    [count],
  );
  // The next audit has a list of its own.
  record.beginGrace({ now: wall });
  t.true(record.closeAudit({ epoch, now: wall + 1, findings: findings.slice(0, 2), lost: 2 }));
  t.is(record.findings().at(-1)?.clients.length, count);
  t.is(record.findings()[0]?.clients.length, count);
});

test('of more findings than are kept the gravest are', (t) => {
  const site = makeSite(t);
  const record = site.open();
  const epoch = record.claim({ node: 'A', fenced: false, now: wall });
  record.beginGrace({ now: wall });
  const idle = Array.from({ length: 12_000 }, (_, index) => ({
    verdict: 'idle' as const,
    clients: [`c${index}`],
  }));
  const silent = { verdict: 'silent' as const, clients: ['gone'] };
  record.closeAudit({ epoch, now: wall, findings: [silent, ...idle], lost: 1 });
  t.is(record.findings().length, 10_000);
  t.is(record.findings()[0]?.verdict, 'silent');
});
