import test from 'ava';
import fc from 'fast-check';
import { formatLine, type EventLine } from '../../../src/record/journal/journal.js';
import { Model } from '../helpers/model.js';
import { event, missing, Site } from '../helpers/site.js';

const fsids = ['1', '2', '3'];
const node = fc.constantFrom('A', 'B', 'C');
const client = fc.constantFrom('c1', 'c2', 'c3', '10.10.1.21');

const line = fc
  .record({
    kind: fc.constantFrom<EventLine['kind']>('add-client', 'del-client'),
    client,
    fsid: fc.option(fc.constantFrom(...fsids), { nil: undefined, freq: 3 }),
  })
  .map(({ kind, client: name, fsid }) => ({ kind, name, fsid }));

/** What happens to the record, in any order. */
const happening = fc.oneof(
  { weight: 8, arbitrary: fc.record({ what: fc.constant('event' as const), node, line }) },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('torn' as const), node, line, length: fc.nat({ max: 99 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('garbage' as const),
      node,
      text: fc.string({ unit: 'binary' }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('fold' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('serve' as const),
      node,
      some: fc.subarray(fsids, { minLength: 1 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('adopt' as const), node, client }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('reopen' as const) }) },
);

test('whatever happens in whatever order, the record is what the whole lines say', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 40 }), async (happenings) => {
      const site = new Site();
      try {
        let record = site.open();
        const model = new Model();
        let epoch = 0;
        for (const served of ['A', 'B', 'C']) {
          await site.serve(record, { node: served, epoch: (epoch += 1), fsids });
          model.serve(served, fsids);
        }
        for (const [seconds, now] of happenings.entries()) {
          if (now.what === 'event') {
            const written = event(now.line.kind, now.line.name, seconds, now.line.fsid);
            site.append(now.node, written);
            model.event(now.node, written);
          } else if (now.what === 'torn') {
            const text = formatLine(event(now.line.kind, now.line.name, seconds, now.line.fsid));
            // Never all of it but the newline: that would be a whole line to the reader, and rightly.
            site.append(now.node, text.slice(0, Math.min(now.length, text.length - 2)));
          } else if (now.what === 'garbage') {
            // A newline first, else it would make a whole line before it bad: nobody writes in that way.
            site.append(now.node, `\n${Buffer.from(now.text).toString('latin1')}`.replaceAll('@', '#'));
          } else if (now.what === 'fold') {
            record.fold();
            t.deepEqual(record.clients(), model.clients());
            t.deepEqual(record.fold().journals, []);
          } else if (now.what === 'serve') {
            await site.serve(record, { node: now.node, epoch: (epoch += 1), fsids: now.some });
            model.serve(now.node, now.some);
          } else if (now.what === 'adopt') {
            record.adopt({ node: now.node, clients: [now.client], fsids, now: 7, myName: now.node });
            model.adopt(now.node, now.client, fsids, 7);
          } else {
            record.close();
            record = site.open();
          }
        }
        record.fold();
        t.deepEqual(record.clients(), model.clients());
        // A record made anew from the journals knows nobody less.
        t.deepEqual(missing(model.clients(), site.rebuilt()), []);
      } finally {
        site.remove();
      }
    }),
    { numRuns: 150 },
  );
});
