import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import fc from 'fast-check';
import { formatLine, parseJournal, type EventLine } from '../../src/record/journal/journal.js';
import { journalPath } from '../../src/record/journal/journal-file.js';
import { Model } from './helpers/model.js';
import { type Helper, start, startProcess } from './helpers/process.js';
import { event, makeSite, type Site } from './helpers/site.js';

const callout = fileURLToPath(new URL('../../../callouts/ha-callout', import.meta.url));

/** Events about few clients, so that one taken twice, or in the wrong order, shows. */
function events(count: number): EventLine[] {
  const kind = fc.constantFrom<EventLine['kind']>('add-client', 'del-client');
  const one = fc.tuple(kind, fc.constantFrom('c1', 'c2', 'c3', 'c4', 'c5'));
  return fc.sample(one, count).map(([what, client], index) => event(what, client, index));
}

/** What the journal of `node` says, by the simplest reading of it. */
function readSimply(site: Site, node: string, fsids: readonly string[]): Model {
  const model = new Model();
  model.serve(node, fsids);
  for (const { line } of parseJournal(Buffer.from(site.journal(node), 'latin1')).entries) {
    if (line?.kind === 'add-client' || line?.kind === 'del-client') model.event(node, line);
  }
  return model;
}

async function lastLine(helper: Helper): Promise<string | undefined> {
  let last: string | undefined;
  for (let next = await helper.line(); next !== undefined; next = await helper.line()) last = next;
  return last;
}

test('three processes fold while the callout appends: each event is folded by exactly one of them', async (t) => {
  t.timeout(120_000);
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record, { fsids: ['1', '2'] });
  const run = join(site.state, 'run');
  mkdirSync(join(run, 'serving'), { recursive: true });
  symlinkSync(journalPath(site.directory, 'A'), join(run, 'serving', '10.10.1.1'));

  const folders = ['read', 'read', 'read'].map((read) =>
    startProcess(t, 'fold-forever.js', [site.directory, read]),
  );
  for (const folder of folders) t.is(await folder.line(), 'fold');
  const happened = events(500);
  const loop = 'while read -r event client; do "$0" "$event" "$client" A || echo failed; done';
  const statd = start(t, '/bin/sh', ['-c', loop, callout], { ...process.env, NLM_FAILOVER_RUN: run });
  statd.write(happened.map(({ kind, client }) => `${kind} ${client}\n`).join(''));
  statd.child.stdin?.end();
  t.is(await statd.line(), undefined);

  for (const folder of folders) folder.child.stdin?.end();
  const counts = await Promise.all(folders.map(lastLine));
  t.is(
    counts.reduce((sum, count) => sum + Number(count), 0),
    happened.length,
  );
  t.deepEqual(record.fold().journals, []);
  t.deepEqual(
    record.clients().map(({ client, fsid }) => [client, fsid]),
    readSimply(site, 'A', ['1', '2'])
      .clients()
      .map(({ client, fsid }) => [client, fsid]),
  );
  t.deepEqual(record.badLines(), []);
});

test('folding processes killed at random, one after the other, while events come', async (t) => {
  t.timeout(120_000);
  const site = makeSite(t);
  const record = site.open();
  await site.serve(record, { fsids: ['1'] });
  const happened = events(3000);
  const perRound = 100;
  for (let from = 0; from < happened.length; from += perRound) {
    const folder = startProcess(t, 'fold-forever.js', [site.directory]);
    const fatal = from + Math.floor(Math.random() * perRound);
    for (const [index, line] of happened.slice(from, from + perRound).entries()) {
      // It says so before each fold, so somewhere in one it is killed.
      if (from + index === fatal) {
        await folder.line();
        folder.child.kill('SIGKILL');
      }
      site.append('A', formatLine(line));
      if (index % 10 === 0) await folder.line();
    }
    await folder.ended();
  }
  record.fold();
  t.deepEqual(record.clients(), readSimply(site, 'A', ['1']).clients());
  t.deepEqual(record.badLines(), []);
});
