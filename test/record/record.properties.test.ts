// The record against a plain model of it, two nodes with a handle each on one database, every command in any order.
// 5,000 sequences instead of 30: NLM_FULL=1 npx ava --timeout=1h build/test/record/record.properties.test.js
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { EventLine } from '../../src/record/journal/journal.js';
import type { MonitorRecord } from '../../src/record/record.js';
import { type NodeName, nodeNames, RecordModel } from './helpers/record-model.js';
import { event, Site, wall } from './helpers/site.js';

const full = process.env['NLM_FULL'] === '1';
const fsids = ['1', '2'];
const names = ['c1', 'c2', 'c3', '10.10.1.21'];

interface Real {
  readonly t: ExecutionContext;
  readonly site: Site;
  readonly handles: Record<NodeName, MonitorRecord>;
  /** Counts up, so that each event has a time of its own. */
  seconds: number;
}

type Command = fc.AsyncCommand<RecordModel, Real>;

/** What each command is followed by: every handle sees the record as the model has it, without a fold. */
function compare({ t, handles }: Real, model: RecordModel): void {
  for (const name of nodeNames) {
    const record = handles[name];
    t.deepEqual(record.clients(), [...model.clients], `clients seen by ${name}`);
    const { owner, epoch, released } = record.ownership();
    t.deepEqual(
      { owner, epoch, released },
      { owner: model.owner, epoch: model.epoch, released: model.released },
    );
    t.is(record.nsmState(), model.state === 0 ? undefined : model.state);
    t.deepEqual(record.notifyCounts(), model.counts());
  }
}

function command(
  title: string,
  run: (model: RecordModel, real: Real) => void | Promise<void>,
  check: (model: RecordModel) => boolean = () => true,
): Command {
  return {
    check,
    run: async (model, real) => {
      await run(model, real);
      compare(real, model);
    },
    toString: () => title,
  };
}

const node = fc.constantFrom(...nodeNames);
const client = fc.constantFrom(...names);

const line = fc
  .record({
    by: node,
    kind: fc.constantFrom<EventLine['kind']>('add-client', 'del-client'),
    name: client,
    fsid: fc.option(fc.constantFrom(...fsids), { nil: undefined, freq: 3 }),
  })
  .map(({ by, kind, name, fsid }) =>
    command(
      `${by}: ${kind} ${name} ${fsid ?? '-'}`,
      (model, real) => {
        const written = event(kind, name, (real.seconds += 1), fsid);
        real.site.append(by, written);
        model.event(by, written);
      },
      (model) => model.journalEpoch.has(by),
    ),
  );

const fold = node.map((by) =>
  command(`${by}: fold`, (model, { t, handles }) => {
    handles[by].fold();
    model.fold();
    t.deepEqual(handles[by].fold().journals, []);
  }),
);

const claim = fc.tuple(node, fc.boolean()).map(([by, fenced]) =>
  command(`${by}: claim${fenced ? ' --fenced' : ''}`, (model, { t, handles }) => {
    const expected = model.claim(by, fenced);
    const attempt = () => handles[by].claim({ node: by, fenced, now: wall });
    if (expected === undefined) t.throws(attempt, { code: 'NOT_RELEASED' });
    else t.is(attempt(), expected);
  }),
);

const release = node.map((by) =>
  command(
    `${by}: release`,
    (model, { t, handles }) => {
      const attempt = () => handles[by].setReleased(by, model.claimed.get(by) ?? 0, true);
      if (!model.isOwner(by)) return void t.throws(attempt, { code: 'NOT_OWNER' });
      attempt();
      model.released = true;
    },
    (model) => model.claimed.has(by),
  ),
);

const serve = fc.tuple(node, fc.subarray(fsids, { minLength: 1 })).map(([by, some]) =>
  command(
    `${by}: serve ${some.join()}`,
    async (model, { t, site, handles }) => {
      const epoch = model.claimed.get(by) ?? 0;
      const assertOwner = () => handles[by].assertOwner(by, epoch);
      const attempt = site.serve(handles[by], { node: by, epoch, fsids: some, assertOwner });
      if (model.isOwner(by)) {
        await attempt;
        model.serve(by, some);
      } else {
        await t.throwsAsync(attempt, { code: 'NOT_OWNER' });
        model.fold();
      }
    },
    (model) => model.claimed.has(by),
  ),
);

const adopt = fc.tuple(node, client).map(([by, name]) =>
  command(
    `${by}: adopt ${name}`,
    (model, { handles }) => {
      handles[by].adopt({ node: by, clients: [name], fsids, now: 7, myName: by });
      model.adopt(by, name, fsids, 7);
    },
    // In B-2, after the journal was begun.
    (model) => model.journalEpoch.has(by),
  ),
);

const beginGrace = fc.tuple(node, fc.nat({ max: 4_000_000_000_000 })).map(([by, now]) =>
  command(`${by}: beginGrace at ${now}`, (model, { t, handles }) => {
    const state = handles[by].beginGrace({ now });
    t.true(state > model.state && state % 2 === 1, `${state} after ${model.state}`);
    model.beginGrace(state);
  }),
);

const notNotified = node.map((by) =>
  command(`${by}: notNotified`, (model, { t, handles }) => {
    t.deepEqual(handles[by].toNotify().toSorted(), model.notNotified(by));
  }),
);

const markNotified = fc.tuple(node, fc.subarray(names)).map(([by, some]) =>
  command(`${by}: markNotified ${some.join()}`, (model, { handles }) => {
    handles[by].markNotified(some, wall);
    model.markNotified(by, some);
  }),
);

const reopen = node.map((by) =>
  command(`${by}: reopen`, (model, { site, handles }) => {
    handles[by].close();
    handles[by] = site.open(by);
    model.owed.delete(by);
  }),
);

const commands = fc.commands(
  [
    line,
    line,
    line,
    line,
    beginGrace,
    notNotified,
    markNotified,
    markNotified,
    fold,
    claim,
    release,
    serve,
    adopt,
    beginGrace,
    notNotified,
    markNotified,
    reopen,
  ],
  {
    maxCommands: 60,
    size: 'max',
  },
);

test('two nodes, every command of the record in any order: both see what a plain model says', async (t) => {
  t.timeout(full ? 3_600_000 : 120_000);
  let count = 0;
  await fc.assert(
    fc.asyncProperty(commands, async (sequence) => {
      const site = new Site();
      try {
        const real: Real = { t, site, handles: { A: site.open('A'), B: site.open('B') }, seconds: 0 };
        const model = new RecordModel();
        // A serves the address already: most sequences are about what follows.
        const epoch = real.handles.A.claim({ node: 'A', fenced: false, now: wall });
        t.is(model.claim('A', false), epoch);
        await site.serve(real.handles.A, { fsids, epoch });
        model.serve('A', fsids);
        await fc.asyncModelRun(() => ({ model, real }), sequence);
        count += [...sequence].length;
        real.handles.A.fold();
        model.fold();
        compare(real, model);
        t.deepEqual(real.handles.A.badLines(), []);
      } finally {
        site.remove();
      }
    }),
    { numRuns: full ? 5000 : 30 },
  );
  t.log(`${count} commands`);
});
