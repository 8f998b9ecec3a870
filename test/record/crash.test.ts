import { readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { parseJournal } from '../../src/record/journal/journal.js';
import { Model } from './helpers/model.js';
import { atEveryMoment } from './helpers/crash-points.js';
import { crashOperations } from './helpers/crash-operations.js';
import { everyByte, leftBehind } from './helpers/left-behind.js';
import { startProcess } from './helpers/process.js';
import { event, makeSite, missing, type Site } from './helpers/site.js';

/** Every tenth moment is also reached by a process that is killed there; every one in full: NLM_FULL=1 npx ava build/test/record/crash.test.js */
const killEvery = process.env['NLM_FULL'] === '1' ? 1 : 10;

/**
 * Runs `operation` on a record of its own, and takes what is on the disk before and after each of its effects: that is what a
 * process leaves that is killed there, as the ones show that are really killed (SIGKILL). `judge` looks at each; once where nothing has changed
 * since the moment before, as after a read.
 * Returns at how many moments.
 */
async function crashEverywhere(
  t: ExecutionContext,
  operation: string,
  prepare: (site: Site) => Promise<void> | void,
  judge: (site: Site) => Promise<void> | void,
): Promise<number> {
  t.timeout(300_000);
  const whole = makeSite(t);
  await prepare(whole);
  const copies = await copiesDuring(t, operation, whole);
  await judge(whole);
  let before = '';
  for (const [index, copy] of copies.entries()) {
    const found = everyByte(copy.state);
    const isKilled = index % killEvery === 0;
    const left = isKilled ? leftBehind(copy.state) : [];
    if (found !== before) await judge(copy);
    before = found;
    copy.remove();
    if (!isKilled) continue;
    const site = makeSite(t);
    await prepare(site);
    t.is(await killedAt(t, operation, site, index + 1), 'SIGKILL');
    t.deepEqual(leftBehind(site.state), left, `killed at moment ${index + 1}`);
    await judge(site);
    site.remove();
  }
  const last = makeSite(t);
  await prepare(last);
  t.is(await killedAt(t, operation, last, copies.length + 1), undefined, 'no moment was overlooked');
  return copies.length;
}

async function copiesDuring(t: ExecutionContext, operation: string, site: Site): Promise<readonly Site[]> {
  const copies: Site[] = [];
  t.teardown(() => copies.forEach((copy) => copy.remove()));
  let stop = () => {};
  try {
    await crashOperations[operation]?.(site.directory, () => {
      stop = atEveryMoment(() => copies.push(site.copy()));
    });
  } finally {
    stop();
  }
  return copies;
}

/** The signal that ended it; none if it had fewer moments, and ended well. */
async function killedAt(
  t: ExecutionContext,
  operation: string,
  site: Site,
  point: number,
): Promise<string | undefined> {
  const helper = startProcess(t, 'crash.js', [operation, site.directory, String(point)]);
  const { code, signal } = await helper.ended();
  if (signal === null) t.is(code, 0);
  return signal ?? undefined;
}

const model = new Model();

/** Two journals, with events folded and not folded yet, of which an event lost or taken twice would show. */
async function record(site: Site): Promise<void> {
  const opened = site.open();
  await site.serve(opened, { node: 'A', fsids: ['1', '2'] });
  await site.serve(opened, { node: 'B', fsids: ['1', '2'] });
  site.append('A', event('add-client', 'c'), event('add-client', 'd'));
  site.append('B', event('add-client', 'c'));
  opened.fold();
  site.append(
    'A',
    event('del-client', 'c'),
    event('add-client', 'e'),
    event('del-client', 'd', 2, '1'),
    '@1 10',
  );
  site.append('B', event('del-client', 'c'), event('add-client', 'c', 3));
  opened.close();
}
for (const node of ['A', 'B']) model.serve(node, ['1', '2']);
model.event('A', event('add-client', 'd', 1, '2'));
model.event('A', event('add-client', 'e'));
model.event('B', event('add-client', 'c', 3));

test.serial('a fold killed anywhere, and folded again: each event counts once', async (t) => {
  const points = await crashEverywhere(t, 'fold', record, (site) => {
    const opened = site.open();
    opened.fold();
    t.deepEqual(opened.clients(), model.clients());
    t.deepEqual(opened.badLines(), []);
  });
  t.true(points > 20);
  t.log(`${points} points`);
});

test.serial(
  'a journal being replaced, killed anywhere: the old one or the new one, and no event lost',
  async (t) => {
    const points = await crashEverywhere(t, 'serve', record, async (site) => {
      const [first] = parseJournal(Buffer.from(site.journal('A'), 'latin1')).entries;
      t.like(first?.line, { kind: 'serving', node: 'A' });
      const opened = site.open();
      opened.fold();
      t.deepEqual(opened.clients(), model.clients());
      // The same command again.
      await site.serve(opened, { node: 'A', epoch: 2, fsids: ['1', '2'] });
      t.regex(site.journal('A'), /^@1 1000.00 serving A 2 /u);
      t.deepEqual(opened.clients(), model.clients());
      opened.close();
      t.deepEqual(
        readdirSync(site.directory).filter((name) => name.startsWith('.')),
        [],
      );
      t.deepEqual(missing(model.clients(), site.rebuilt()), []);
    });
    t.true(points > 40);
    t.log(`${points} points`);
  },
);

test.serial('an adoption killed anywhere, and done again: record and journal agree', async (t) => {
  const points = await crashEverywhere(t, 'adopt', record, (site) => {
    const opened = site.open();
    opened.adopt({ node: 'A', clients: ['x', 'y'], fsids: ['1', '2'], now: 7, myName: 'A' });
    opened.fold();
    const before = opened.clients();
    t.is(before.filter(({ client }) => client === 'x' || client === 'y').length, 4);
    opened.close();
    t.deepEqual(missing(before, site.rebuilt()), []);
  });
  t.true(points > 20);
  t.log(`${points} points`);
});

test.serial('the first open killed anywhere: the next one makes the record', async (t) => {
  const points = await crashEverywhere(
    t,
    'open',
    () => undefined,
    (site) => {
      t.is(site.open().claim({ node: 'A', fenced: false, now: 1 }), 1);
    },
  );
  t.true(points > 5);
  t.log(`${points} points`);
});

test.serial('a grace or a claim killed anywhere: all of it or nothing', async (t) => {
  const prepare = async (site: Site): Promise<void> => {
    await record(site);
    site.open().claim({ node: 'B', fenced: false, now: 1 });
  };
  await crashEverywhere(t, 'claim', prepare, (site) => {
    const { owner, epoch, since } = site.open().ownership();
    t.true(owner === 'B' ? epoch === 1 && since === 1 : owner === 'A' && epoch === 2 && since === 1000);
  });
  await crashEverywhere(t, 'grace', prepare, (site) => {
    const opened = site.open();
    t.deepEqual(opened.toNotify().length === 0, opened.nsmState() === undefined);
  });
});

test.serial(
  'a rebuild killed anywhere: the lost database or the whole new one; and done again',
  async (t) => {
    const points = await crashEverywhere(
      t,
      'rebuild',
      async (site) => {
        await record(site);
        truncateSync(join(site.directory, 'monitors.db'), 5000);
      },
      (site) => {
        try {
          site.open().close();
        } catch (error) {
          t.like(error, { code: 'RECORD_CORRUPT' });
          site.rebuild();
        }
        const opened = site.open();
        opened.fold();
        t.deepEqual(missing(model.clients(), opened.clients()), []);
        t.like(opened.ownership(), { owner: 'B', epoch: 2 });
        opened.close();
        site.rebuild({ force: true });
        const left = readdirSync(site.directory);
        t.deepEqual(
          left.filter((name) => name.startsWith('.')),
          [],
        );
        t.true(left.some((name) => /^monitors\.db\.[0-9T]+\.[0-9a-f]+$/.test(name)));
      },
    );
    t.true(points > 40);
    t.log(`${points} points`);
  },
);
